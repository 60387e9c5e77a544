"""Machines from a playbook, each step in check mode, then done, then once more: check mode changes nothing and says what comes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.base.host import Host
from tests.ansible.conftest import Play, Played
from tests.ansible.foretelling import foretold

pytestmark = pytest.mark.sandbox

DEAF = "trap '' TERM; while :; do sleep 1000 & wait; done"

STEPS: dict[str, dict[str, Any]] = {
    "made": {"name": "web"},
    "stopped": {"name": "web-1", "state": "stopped"},
    "started": {"name": "web-1"},
    "restarted": {"name": "web-1", "state": "restarted"},
    "replaced": {"name": "web-1", "state": "replaced"},
    "deaf made": {"name": "old"},
    "deaf stopped": {"name": "old", "state": "stopped", "timeout": "1s"},
    "deaf gone": {"name": "old", "state": "absent"},
    "cut off": {"name": "web", "state": "stopped", "at_once": True, "prove": True},
    "gone": {"name": "web", "state": "absent"},
    "unknown": {"name": "web-3", "state": "stopped"},
    "no state for it": {"name": "web-1", "state": "replaced", "at_once": True},
}
REFUSED = {"unknown", "no state for it"}
EACH_TIME = {"restarted", "replaced"}


@pytest.fixture
def document(topology_name: str) -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"front": {"cidr": "10.82.0.0/24"}},
        "machines": {
            "web": {"count": 2, "networks": ["front"], "run": [{"name": "app", "command": ["sleep", "1000"]}]},
            "old": {"networks": ["front"], "run": [{"name": "deaf", "command": ["sh", "-c", DEAF]}]},
        },
    }  # fmt: skip


def playbook(tmp_path: Path, document: dict[str, Any], run_dir: Path) -> Path:
    argv = f"{sys.executable} {Path(__file__).with_name('state.py')} {run_dir}"
    look = {"ansible.builtin.debug": {"msg": f"{{{{ lookup('ansible.builtin.pipe', '{argv}') }}}}"}}
    defaults = {"group/lbkit.core.topologies": {"definition": document, "run_dir": str(run_dir)}}
    tasks: list[dict[str, Any]] = []
    for name, arguments in STEPS.items():
        call = {"lbkit.core.machine": arguments, "ignore_errors": name in REFUSED}
        tasks += [
            {"name": f"before: {name}", **look},
            {"name": f"check: {name}", **call, "check_mode": True},
            {"name": f"after: {name}", **look},
            {"name": f"do: {name}", **call},
            {"name": f"then: {name}", **look},
            *([] if name in REFUSED else [{"name": f"again: {name}", **call}]),
        ]
    tasks.append({"name": "rest", "lbkit.core.topology": {"state": "absent"}})
    path = tmp_path / "play.yml"
    path.write_text(
        json.dumps(
            [{"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}]
        )
    )
    return path


@pytest.mark.foretells("machine")
def test_each_state_is_reached_as_check_mode_said(
    host: Host, play: Play, document: dict[str, Any], tmp_path: Path
) -> None:
    played = play(playbook(tmp_path, document, host.run_dir), "--diff")
    assert played.code == 0, played.text[-3000:]
    for name in STEPS:
        predicted(played, name)
    stopped(played)
    assert [row["name"] for row in played.task("do: replaced")["status"]] == ["web-1", "web-1/app"]
    assert played.task("do: gone")["status"] == []
    assert "web-3" in played.task("do: unknown")["msg"]
    assert not host.run_dir.exists()
    assert not lbkit.observe(lbkit.load_data(document, tmp_path), host)


def predicted(played: Played, name: str) -> None:
    foreseen, came = played.task(f"check: {name}"), played.task(f"do: {name}")
    before, after = (json.loads(played.task(f"{said}: {name}")["msg"]) for said in ("before", "after"))
    foretold("machine", foreseen, came, before=before, after=after, parts=("msg", "error"))
    assert came["changed"] is (name not in REFUSED)
    if name not in REFUSED:
        assert played.task(f"again: {name}")["changed"] is (name in EACH_TIME), name


def processes(played: Played, task: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(played.task(task)["msg"])["processes"]
    return found


def stopped(played: Played) -> None:
    """The one that was named, within its time, and no other."""
    before, then = processes(played, "before: stopped"), processes(played, "then: stopped")
    assert before != then
    assert then == {name: its for name, its in before.items() if "web-1" not in name}
    row = next(row for row in played.task("do: stopped")["status"] if row["kind"] == "machine")
    assert (row["present"], row["health"]) == (False, "down")
    assert played.task("do: deaf stopped")["notes"] == ["machine old: deaf did not finish within 1 s: killed"]
    assert played.task("do: stopped")["notes"] == []
    assert "the next apply" in played.task("do: stopped")["plan"]["notes"][0]
    assert played.task("do: cut off")["plan"]["impact"] == "disruptive"
    assert "proof" in played.task("do: cut off")
