"""What goes onto machines works there: by the standard library alone."""

from __future__ import annotations

import pkgutil
import subprocess
from pathlib import Path

import lbkit
from lbkit import mirror
from tests.machine.local.test_guest import FOREIGN
from tests.machine.world import PYTHON


def test_all_of_it_needs_the_standard_library_alone() -> None:
    names = [each.name for each in pkgutil.walk_packages(mirror.__path__, "lbkit.mirror.")]
    assert "lbkit.mirror.node.agent" in names
    code = f"import sys; sys.path.insert(0, sys.argv[1])\nimport {', '.join(names)}\nprint(*sys.modules)"
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-c", code, Path(lbkit.__file__).parents[1]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert not FOREIGN & {name.partition(".")[0] for name in done.stdout.split()}
