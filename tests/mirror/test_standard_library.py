"""What goes onto machines works there: as one file, by the standard library alone."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

import lbkit
from lbkit.mirror.programs import PROGRAM
from tests.machine.local.test_guest import FOREIGN
from tests.machine.world import PYTHON

SOURCES = Path(lbkit.__file__).parents[1]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "mirror.pyz"
    path.write_bytes(PROGRAM.packed().content)
    return path


def test_all_of_it_needs_the_standard_library_alone(archive: Path) -> None:
    assert "lbkit.mirror.node.agent" in PROGRAM.modules
    code = f"import sys; sys.path.insert(0, sys.argv[1])\nimport {', '.join(PROGRAM.modules)}\nprint(*sys.modules)"
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-c", code, archive], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.stderr == ""
    loaded = done.stdout.split()
    assert not FOREIGN & {name.partition(".")[0] for name in loaded}
    assert {name for name in loaded if name.partition(".")[0] == "lbkit"} == set(PROGRAM.modules)


def test_what_is_imported_late_is_there_too() -> None:
    for name in PROGRAM.modules:
        path = SOURCES / (name.replace(".", "/") + ".py")
        source = (path if path.exists() else path.with_suffix("") / "__init__.py").read_text()
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef):
                continue
            for each in ast.walk(node):
                if isinstance(each, ast.ImportFrom) and (each.module or "").split(".")[0] == "lbkit":
                    assert each.module in PROGRAM.modules, f"{name} imports {each.module}"


@pytest.mark.parametrize("words", [["keeper"], ["node", "serve", "none.json"], ["nonsense"], []])
def test_words_that_it_does_not_know_are_mistakes(archive: Path, words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-I", "-S", archive, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 64
    assert "Traceback" not in done.stderr
    assert done.stderr
