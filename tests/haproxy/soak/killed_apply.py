"""Apply a document and die by SIGKILL at one step: `killed_apply.py DOCUMENT FOLDER RUN_DIR STEP MILLISECONDS`.

So many milliseconds after the step began, while it goes on. Exits 0 where the apply has fewer steps than that.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
from pathlib import Path

import lbkit
from lbkit.base.host import Host
from lbkit.engine.applying import Event


def main() -> None:
    document, folder, run_dir, number, after = sys.argv[1:]
    steps = itertools.count()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: Event) -> None:
        if event.kind == "step" and next(steps) == int(number):
            if after == "0":
                die()
            threading.Timer(float(after) / 1000, die).start()

    scope = lbkit.load_data(json.loads(Path(document).read_text()), Path(folder))
    lbkit.apply(scope, Host(run_dir=Path(run_dir)), watch=watch)


if __name__ == "__main__":
    main()
