from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.faces.cli import main
from lbkit.faces.out import Out
from lbkit.topology import register
from tests.engine.model_room import scope
from tests.faces.toy import ToyRoom, house


@dataclass
class Ran:
    code: int
    out: str
    err: str


Lbkit = Callable[..., Ran]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> ToyRoom:
    """The only room there is, in place of the real ones."""
    toy = house()
    monkeypatch.setattr(operate, "rooms", lambda: (toy,))
    monkeypatch.setattr(register, "rooms", lambda: (toy,))
    monkeypatch.setattr(operate, "load", lambda _file: scope())
    return toy


@pytest.fixture
def lbkit(room: ToyRoom, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Lbkit:
    """The command line in this process. Commands that act do so in a folder of the test's own."""
    acting = {
            "plan", "apply", "destroy", "status", "explain", "graph", "doctor", "hold", "release", "top", "watch",
        }  # fmt: skip

    def run(*words: str) -> Ran:
        words = (*words, "--run-dir", str(tmp_path / "run")) if words[0] in acting else words
        code = main(words)
        told = capfd.readouterr()
        return Ran(code, told.out, told.err)

    return run


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person at a terminal, who says these words one after the other."""
    said: list[str] = []
    monkeypatch.setattr(Out, "interactive", property(lambda self: not self.json))
    monkeypatch.setattr("builtins.input", lambda: said.pop(0))
    return said
