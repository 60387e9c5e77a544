"""Apply a topology and die by SIGKILL at the first step whose words begin so: `killed_at.py FILE RUN_DIR WORDS`.

A process of its own, inside a sandbox. Exits 0 where there is no such step.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.applying import Event


def main() -> None:
    file, run_dir, words = sys.argv[1:]

    def die(event: Event) -> None:
        if event.kind == "step" and event.detail.startswith(words):
            os.kill(os.getpid(), signal.SIGKILL)

    operate.apply(operate.load(file), Host(run_dir=Path(run_dir)), watch=die)


if __name__ == "__main__":
    main()
