"""The package `ansible`, with community.general in it, in a virtual environment of its own below build/.

Made once, from PyPI (about 50 MB, half a minute), before the sandbox, which has no way out. `make clean` removes it.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PACKAGE = "ansible==12.3.0"  # which brings ansible-core 2.19, as .venv has
FOLDER = Path(__file__).resolve().parents[1] / "build" / "bench-ansible"
PLAYBOOK = FOLDER / "bin" / "ansible-playbook"
_MADE = FOLDER / "made-of"


def make() -> None:
    made_of = f"{PACKAGE} {FOLDER} {sys.version}"
    if _MADE.exists() and _MADE.read_text(encoding="utf-8") == made_of:
        return
    print(f"Making {FOLDER}, with {PACKAGE}", flush=True)
    venv.create(FOLDER, clear=True, with_pip=True)
    subprocess.run(
        [FOLDER / "bin/pip", "--disable-pip-version-check", "install", "-q", "--no-compile", PACKAGE],
        check=True,
    )
    _MADE.write_text(made_of, encoding="utf-8")
