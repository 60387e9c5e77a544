"""The guest's program as one file: all that it needs, nothing else, and the same bytes every time."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lbkit
from lbkit.machine.guest.pack import ENTRY, modules, packed
from tests.machine.world import PYTHON

SOURCES = Path(lbkit.__file__).parent.parent

SEEN = """
import sys
sys.path.insert(0, sys.argv[1])
import lbkit.machine.guest.server, lbkit.health.probe
from lbkit.machine.guest.identity import Identity
Identity("t", "m", 1, "h").digest
print(*sorted(sys.modules))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "guest.pyz"
    path.write_bytes(packed().content)
    return path


def test_its_bytes_are_the_same_in_every_process() -> None:
    code = "import hashlib; from lbkit.machine.guest.pack import packed; print(hashlib.sha256(packed().content).hexdigest(), packed().digest)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(SOURCES), "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(found) == 1


def test_it_says_its_digest_and_needs_no_lbkit_beside_it(archive: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-I", "-S", archive, "check"], cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{packed().digest}\n"


def test_another_python_compiles_the_source(archive: Path, tmp_path: Path) -> None:
    """As one whose bytecode has another number."""
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(other, "w") as made:
        for entry in whole.infolist():
            content = whole.read(entry)
            made.writestr(entry, b"\0\0\r\n" + content[4:] if entry.filename.endswith("c") else content)
    done = subprocess.run([PYTHON, "-I", "-S", other, "check"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{packed().digest}\n"


def test_it_brings_what_it_imports_and_imports_what_it_brings(archive: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-c", SEEN, archive], capture_output=True, text=True, check=True
    )
    seen = set(done.stdout.split())
    ours = {name for name in seen if name.split(".")[0] == "lbkit"}
    assert ours == set(modules()) - {"lbkit.machine.local.shim"}  # that one is run, not imported
    foreign = {name.split(".")[0] for name in seen - ours} - set(sys.stdlib_module_names) - {"__main__"}
    assert foreign == set()


def test_what_is_imported_late_is_there_too() -> None:
    """Imports in functions of what is packed: those of lbkit lead to nothing that stays behind."""
    for name in modules():
        path = SOURCES / (name.replace(".", "/") + ".py")
        source = (path if path.exists() else path.with_suffix("") / "__init__.py").read_text()
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        for node in (each for function in functions for each in ast.walk(function)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lbkit":
                assert node.module in modules(), f"{name} imports {node.module}"


def test_it_is_not_much() -> None:
    assert ENTRY in modules()
    assert len(modules()) < 80
    assert len(packed().content) < 1_500_000
    heavy = {
        "lbkit.base.model",
        "lbkit.base.names",
        "lbkit.machine.guest.session",
        "lbkit.base.pack",
        "lbkit.machine.guest.pack",
    }
    assert not heavy & set(modules())
    with zipfile.ZipFile(io.BytesIO(packed().content)) as whole:
        assert {entry.date_time for entry in whole.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_word_that_it_does_not_know_is_a_mistake(archive: Path) -> None:
    for words in (["serve", "--prot", "x"], ["nonsense"], []):
        done = subprocess.run(
            [PYTHON, "-I", "-S", archive, *words], capture_output=True, check=False, env=os.environ
        )
        assert done.returncode == 64
