from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import lbkit
from tests.ansible import foretelling

ROOT = Path(lbkit.__file__).parents[1]


class Played:
    """One run of ansible-playbook: its exit code, its recap, and what each task returned."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        start = done.stdout.find('{"tasks"')
        data = json.loads(done.stdout[start:]) if start >= 0 else {"tasks": [], "recap": {}}
        self.tasks: list[dict[str, Any]] = data["tasks"]
        self.recap: dict[str, int] = data["recap"].get("localhost", {})

    def task(self, name: str, host: str | None = None) -> dict[str, Any]:
        for task in self.tasks:
            if name in task["task"] and host in {None, task["host"]}:
                result: dict[str, Any] = task["result"]
                return result
        raise LookupError(f"no task {name!r} in {self.text}")


Play = Callable[..., Played]


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a program of Ansible: the collection and library of this checkout, and folders of its own."""
    return {
        **os.environ,
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT)))),
    }


def player(
    program: Sequence[Path | str], environment: Callable[[], dict[str, str]], folder: Path = ROOT
) -> Play:
    """`play(playbook, *arguments, variable=value)` with this `ansible-playbook`, in `folder`; in the environment as it is then."""
    told = {
        "ANSIBLE_STDOUT_CALLBACK": "lbkit_json",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
    }

    def run(playbook: Path | str, *arguments: str, **variables: object) -> Played:
        done = subprocess.run(
            [*program, playbook, *arguments, "--extra-vars", json.dumps(variables)],
            cwd=folder, env=environment() | told, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        return Played(done)

    return run


@pytest.fixture(autouse=True)
def foretells(request: pytest.FixtureRequest) -> Iterator[None]:
    """Who is marked to hold the promise of check mode has held it in the end."""
    foretelling.HELD.clear()
    yield
    marks = request.node.iter_markers("foretells")
    left = {module for mark in marks for module in mark.args} - foretelling.HELD
    assert not left, f"the test was to hold what check mode promises of {', '.join(sorted(left))}"


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """As a person does at the root of a checkout."""
    return player([Path(sys.executable).with_name("ansible-playbook")], lambda: surroundings(tmp_path))
