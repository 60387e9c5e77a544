"""playbooks/mirrors.yml from a fresh checkout, and the modules of mirrors on what it brings up: check mode says what comes, and a
second run changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.machine.handle import machine
from lbkit.mirror import operations
from tests.ansible.conftest import ROOT, Play, Played
from tests.ansible.foretelling import foretold
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

FETCH = "Fetch what upstream has"


@pytest.mark.foretells("mirror_sync")
def test_the_example_is_brought_up_and_synced(
    netns: None, play: Play, topology_name: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.key"))
    example = tmp_path / "examples" / "mirrors.yml"
    example.write_text(example.read_text().replace("\nname: mirrors\n", f"\nname: {topology_name}\n"))
    here = {"topology_file": str(example), "topology_example": str(example)}
    made = play("playbooks/mirrors.yml", **here)
    assert made.code == 0, made.text
    again = play("playbooks/mirrors.yml", **here)
    assert again.recap["changed"] == 0, again.text
    scope, host = operate.load(example), Host()
    origin = machine(scope, host, "origin")
    tree = origin.folder("archive") / "tree"
    os.kill(origin.running()["archive"].pid, signal.SIGHUP)
    until(lambda: b'"number": 2,' in (origin.fetch(tree / "index.json") or b""), "the archive has published")
    checked = play("playbooks/mirrors.yml", "--check", **here)
    assert checked.code == 0, checked.text
    assert checked.recap["changed"] == 1
    third = play("playbooks/mirrors.yml", **here)
    assert third.recap["changed"] == 1, third.text
    assert "generation 2 on mirror-1, mirror-2, mirror-3" in third.text
    foreseen, came = (played.task(FETCH)["results"][0] for played in (checked, third))
    assert foreseen["files"] == came["files"] == {"added": 1, "changed": 6, "deleted": 0}
    assert len(foreseen["plan"]["first"]["changed"]) == 6

    path = tmp_path / "modules.yml"
    path.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": steps(example, str(tree))}])
    )
    played = play(path, "--diff")
    assert played.code == 0, played.text
    predicted(played)
    gone_back(played)
    guarded(played)
    assert operations.status(scope, "archive", host).held is None
    gone = play("playbooks/teardown.yml", topology_file=str(example))
    assert gone.code == 0, gone.text


REAL = ("nothing new", "back", "back again", "held", "release", "release again", "guarded", "anyway")


def steps(file: Path, tree: str) -> list[dict[str, Any]]:
    """Each task of `REAL` in check mode, and then done."""
    more: dict[str, dict[str, Any]] = {
        "back": {"state": "rolled_back"},
        "back again": {"state": "rolled_back"},
        "release": {"state": "released"},
        "release again": {"state": "released"},
        "anyway": {"anyway": True},
    }
    tasks: list[dict[str, Any]] = []
    for name in REAL:
        if name == "guarded":
            tasks.append(
                {
                    "name": "upstream loses",
                    "ansible.builtin.file": {"path": f"{tree}/data", "state": "absent"},
                }
            )
        arguments = {"file": str(file), "mirror": "archive", **more.get(name, {})}
        call = {"lbkit.core.mirror_sync": arguments, "ignore_errors": True}
        asks = f"{Path(sys.executable).with_name('lbkit')} mirror status {file} archive --json"
        look = {"ansible.builtin.debug": {"msg": f"{{{{ lookup('ansible.builtin.pipe', '{asks}') }}}}"}}
        tasks += [
            {"name": f"before: {name}", **look},
            {"name": f"check: {name}", **call, "check_mode": True},
            {"name": f"after: {name}", **look},
            {"name": f"do: {name}", **call},
        ]
        if name in {"held", "release", "anyway"}:
            tasks.append({"name": f"info: {name}", "lbkit.core.mirror_info": {"file": str(file), "log": 2}})
    return tasks


def seen(task: dict[str, Any]) -> list[dict[str, Any]]:
    """What stands of each mirror; how long it took, and when the next run is, moves by itself."""
    told = json.loads(task["msg"]) if isinstance(task["msg"], str) else task["msg"]
    return [
        {part: each["status"][part] for part in ("generations", "committed", "held")}
        for each in told["mirrors"]
    ]


def predicted(played: Played) -> None:
    for name in REAL:
        foreseen, came = played.task(f"check: {name}"), played.task(f"do: {name}")
        before, after = (seen(played.task(f"{when}: {name}")) for when in ("before", "after"))
        # a run's plan is what it would do with which paths, and what was done has none
        told, done = ({**task, "plan": None} for task in (foreseen, came))
        foretold("mirror_sync", told, done, before=before, after=after, parts=("files", "to"))
        if "error" in came:
            found = [(task["error"]["wanted"], task["error"]["found"]) for task in (foreseen, came)]
            assert found[0] == found[1], name
    changed = [name for name in REAL if played.task(f"do: {name}")["changed"]]
    assert changed == ["back", "release", "anyway"]
    failed = [name for name in REAL if "error" in played.task(f"do: {name}")]
    assert failed == ["held", "guarded"]


def told(played: Played, after: str) -> dict[str, Any]:
    info = played.task(f"info: {after}")
    assert info["changed"] is False
    (mirror,) = info["mirrors"]
    assert (mirror["mirror"], mirror["error"], len(mirror["runs"])) == ("archive", None, 2)
    status: dict[str, Any] = mirror["status"]
    return status


def gone_back(played: Played) -> None:
    back = played.task("do: back")
    assert (back["to"], back["serial"], back["committed"], back["run"]["cause"]) == (1, 3, True, "rollback")
    assert back["held"]["serial"] == 1
    assert back["diff"]["after"] == "content: as generation 1\nruns: held\n"
    assert "since a rollback to generation 1" in played.task("do: held")["msg"]
    status = told(played, "held")
    assert (status["committed"]["serial"], status["held"]) == (3, back["held"])
    assert [each["serial"] for each in status["generations"]] == [3, 2, 1]
    assert played.task("do: release")["held"] == back["held"]
    assert told(played, "release")["held"] is None


def guarded(played: Played) -> None:
    held, foreseen = played.task("do: guarded"), played.task("check: guarded")
    assert "its guards want a person's word" in held["msg"]
    assert (held["run"]["came"], held["error"]["run"]["came"]) == ("held", "held")
    assert "; ".join(foreseen["error"]["plan"]["objections"]) == held["run"]["why"]
    came = played.task("do: anyway")
    assert came["files"]["deleted"] >= 10
    assert (came["run"]["came"], came["committed"]) == ("made", True)
    status = told(played, "anyway")
    assert {node["serving"] for node in status["nodes"].values()} == {came["serial"]}
