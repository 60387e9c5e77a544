"""The house stands as it is drawn: imports point down, rooms are alike, files can be read in one sitting."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lbkit
from lbkit.engine.room import Room
from lbkit.topology.register import ROOMS, rooms

ROOT = Path(lbkit.__file__).parents[1]


def test_imports_point_down() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_room_answers_the_contract() -> None:
    kinds: set[str] = set()
    for room in rooms():
        assert isinstance(room, Room)
        assert room.name == room.__class__.__module__.split(".")[1]
        assert not kinds & room.kinds, "a kind belongs to one room"
        kinds |= room.kinds


@pytest.mark.parametrize("module", ROOMS)
def test_every_room_has_the_same_four_files(module: str) -> None:
    folder = ROOT / Path(*module.split(".")).parent
    room = next(room for room in rooms() if type(room).__module__ == module)
    parts = ("observe", "plan", "apply") if room.kinds else ()  # one without kinds has nothing in the world
    for part in ("spec", *parts, "room"):
        assert (folder / f"{part}.py").is_file() or (folder / part).is_dir(), f"{folder.name}/{part}.py"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "lbkit").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_file_is_one_sitting_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 450, "find the seam"
    assert ast.get_docstring(ast.parse(text)), "a module says what it is for"


def test_faces_and_engine_name_no_room() -> None:
    """So that a new noun is one folder and one line of registration, and nothing else."""
    nouns = [module.rsplit(".", 1)[0] for module in ROOMS]
    for folder in ("engine", "base"):
        for path in (ROOT / "lbkit" / folder).rglob("*.py"):
            for noun in nouns:
                assert f"from {noun}" not in path.read_text(encoding="utf-8"), path


def test_the_public_surface() -> None:
    assert lbkit.__all__ == sorted(lbkit.__all__)
    assert {"load", "plan", "apply", "destroy", "observe", "status"} <= set(lbkit.__all__)
    for name in lbkit.__all__:
        assert getattr(lbkit, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        lbkit.nonsense  # noqa: B018 - the point


def test_import_lbkit_costs_nothing() -> None:
    code = "import lbkit, sys; print([m for m in ('pydantic', 'yaml', 'rich', 'dns', 'pyroute2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
