from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lbkit

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

    def task(self, name: str) -> dict[str, Any]:
        for task in self.tasks:
            if name in task["task"]:
                result: dict[str, Any] = task["result"]
                return result
        raise LookupError(f"no task {name!r} in {self.text}")


Play = Callable[..., Played]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """`play(playbook, *arguments, variable=value)`, as a person does at the root of a checkout."""

    def run(playbook: Path | str, *arguments: str, **variables: object) -> Played:
        environment = {
            **os.environ,
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
            "ANSIBLE_STDOUT_CALLBACK": "lbkit_json",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
            "PYTHONPATH": str(ROOT),
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run(
            [program, playbook, *arguments, "--extra-vars", json.dumps(variables)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        return Played(done)

    return run
