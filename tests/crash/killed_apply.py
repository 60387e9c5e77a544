"""Apply a topology and die by SIGKILL at one event of it: `killed_apply.py FILE apply|destroy NUMBER [RUN_DIR [ONLY ...]]`.

The events: each change carried out, each change read back. Exits 0 where the apply has fewer than that. Run as
a process of its own, inside a sandbox.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.applying import Event


def main() -> None:
    file, what, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    events = itertools.count()

    def die_at(event: Event) -> None:
        if event.kind != "begin" and next(events) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    host = Host(run_dir=Path(sys.argv[4])) if len(sys.argv) > 4 else Host()
    operate.apply(operate.load(Path(file)), host, absent=what == "destroy", watch=die_at, only=sys.argv[5:])


if __name__ == "__main__":
    main()
