"""Watch a topology once and get a signal at one event of its apply: `signalled_watch.py FILE RUN_DIR NUMBER SIGNAL`.

The events: each begin, step, change carried out, change read back. Exits as `lbkit watch --once`. A process of its own.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import Any

from lbkit import operate
from lbkit.engine.applying import Event
from lbkit.faces.cli import main


def signalled() -> int:
    file, run_dir, number, signal = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    events = itertools.count()
    real = operate.apply

    def apply(*given: Any, watch: Any, **more: Any) -> Any:
        def signalling(event: Event) -> None:
            if next(events) == number:
                os.kill(os.getpid(), signal)
            watch(event)

        return real(*given, watch=signalling, **more)

    operate.apply = apply  # type: ignore[assignment]
    return main(["watch", "--once", "--json", "--run-dir", run_dir, file])


if __name__ == "__main__":
    sys.exit(signalled())
