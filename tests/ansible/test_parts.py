"""Modules of one thing of a topology, each in check mode, then done, then once more: check mode changes nothing and says what comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import lbkit
from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from tests.ansible.conftest import Play, Played
from tests.ansible.foretelling import foretold
from tests.mirror.tree.trees import lay

pytestmark = pytest.mark.sandbox

STEPS: dict[str, tuple[str, str | None, str]] = {
    "network": ("network", "front", "present"),
    "mirror": ("mirror", "debian", "present"),
    "balancer": ("haproxy", "shop", "present"),
    "in use": ("network", "back", "absent"),
    "first mirror gone": ("mirror", "debian", "absent"),
    "balancer gone": ("haproxy", "shop", "absent"),
    "second mirror gone": ("mirror", "apps", "absent"),
    "rest": ("topology", None, "absent"),
    "network gone": ("network", "front", "absent"),
}
"""Each step's module, name and state, one after the other from nothing to nothing."""

MAKES = {
    "network": {"network front"},
    "mirror": {
        "network back", "machine store", "machine node-1", "machine node-2", "service store/mirror-debian-keeper",
        "service node-1/mirror-debian-node", "service node-2/mirror-debian-node", "service store/mirror-rsync",
        "service node-1/mirror-rsync", "service node-2/mirror-rsync", "service node-1/mirror-http", "service node-2/mirror-http",
    },
    "balancer": {"machine lb", "machine web", "service web/app", "haproxy lb/shop"},
    "in use": set(),
}  # fmt: skip


@pytest.fixture
def document(topology_name: str, tmp_path: Path) -> dict[str, Any]:
    os.chmod(tmp_path, 0o755)
    upstream = tmp_path / "upstream"
    lay(upstream, {b"index": b"1"})
    for name in ("debian", "apps"):
        write_key(tmp_path / f"{name}.key")
    mirror = {"upstream": str(upstream), "master": "store", "nodes": "node"}
    return {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"front": {"cidr": "10.83.0.0/24"}, "back": {"cidr": "10.83.1.0/24"}},
        "machines": {
            "lb": {"networks": ["front", "back"]},
            "web": {
                "networks": ["back"],
                "run": [
                    {"name": "app", "command": ["/usr/bin/python3", "-I", "-m", "http.server", "8080"], "ready": {"port": 8080}}
                ],
            },
            "store": {"networks": ["back"]},
            "node": {"count": 2, "networks": ["back"]},
        },
        "mirrors": {name: {**mirror, "publish": {"http": {"port": 8000}}} for name in ("debian", "apps")},
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "frontends": {"http": {"bind": 80, "backend": "web"}, "files": {"bind": 81, "backend": "debian"}},
                "backends": {"web": {"servers": [{"machines": "web", "port": 8080}]}, "debian": {"servers": [{"mirror": "debian"}]}},
            }
        },
    }  # fmt: skip


@pytest.fixture
def file(document: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "topology.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def steps(file: Path, run_dir: Path) -> list[dict[str, Any]]:
    """Of each step: how it is, check mode, how it is then, done, done again."""
    source = {"file": str(file), "run_dir": str(run_dir)}
    argv = [sys.executable, str(Path(__file__).with_name("state.py")), str(run_dir)]
    # by the controller, which is on this host, too: a module task costs ten times as much
    look = {"ansible.builtin.debug": {"msg": f"{{{{ lookup('ansible.builtin.pipe', '{' '.join(argv)}') }}}}"}}
    tasks: list[dict[str, Any]] = []
    for name, (module, thing, state) in STEPS.items():
        arguments: dict[str, Any] = {**source, "state": state}
        arguments |= {"name": thing} if thing else {"only": ["machine", "network/back"]}
        arguments |= {"prove": True} if name == "balancer" else {}
        call = {f"lbkit.core.{module}": arguments, "ignore_errors": name == "in use"}
        if name == "first mirror gone":
            tasks.append({"name": "second mirror", "lbkit.core.mirror": {**source, "name": "apps"}})
        tasks += [
            {"name": f"before: {name}", **look},
            {"name": f"check: {name}", **call, "check_mode": True},
            {"name": f"after: {name}", **look},
            {"name": f"do: {name}", **call},
            {"name": f"again: {name}", **call},
        ]
    return tasks


def playbook(tmp_path: Path, tasks: list[dict[str, Any]]) -> Path:
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return path


def changed(result: dict[str, Any]) -> set[str]:
    return {f"{each['resource']['kind']} {each['resource']['name']}" for each in result["plan"]["changes"]}


@pytest.mark.foretells("network", "haproxy", "mirror", "topology")
def test_each_is_made_and_removed_as_check_mode_said(
    host: Host, play: Play, file: Path, tmp_path: Path
) -> None:
    played = play(playbook(tmp_path, steps(file, host.run_dir)), "--diff")
    assert played.code == 0, played.text
    predicted(played)
    for name, made in MAKES.items():
        assert ("error" in played.task(f"do: {name}")) or changed(played.task(f"do: {name}")) == made
    shared(played)
    refused(played)
    told(played)
    assert not lbkit.observe(lbkit.load(file), host)
    assert not host.run_dir.exists()


def predicted(played: Played) -> None:
    for name, (module, _, _) in STEPS.items():
        foreseen, came, again = (played.task(f"{said}: {name}") for said in ("check", "do", "again"))
        before, after = (played.task(f"{said}: {name}")["msg"] for said in ("before", "after"))
        foretold(module, foreseen, came, before=before, after=after, parts=("msg", "error"))
        assert came["changed"] is (name != "in use")
        if name != "in use":
            assert (again["changed"], again["plan"]["changes"]) == (False, []), name


def shared(played: Played) -> None:
    """What serves both mirrors of a machine goes with the last, and HAProxy goes on without the nodes of its one."""
    gone = played.task("do: first mirror gone")
    own = {
        "service store/mirror-debian-keeper",
        "service node-1/mirror-debian-node",
        "service node-2/mirror-debian-node",
    }
    assert changed(gone) == own
    assert any("haproxy lb/shop stays, and goes on without" in note for note in gone["plan"]["notes"])
    last = changed(played.task("do: second mirror gone"))
    assert last == {name.replace("debian", "apps") for name in MAKES["mirror"] if name.startswith("service")}
    assert changed(played.task("do: balancer gone")) == {"haproxy lb/shop"}
    assert changed(played.task("do: network gone")) == {"network front"}


def refused(played: Played) -> None:
    error = played.task("do: in use")["error"]
    users = ("lb", "node-1", "node-2", "store", "web")
    assert error["needed"] == {f"machine {name}": ["network back"] for name in users}
    assert (
        "machine lb, machine node-1, machine node-2, machine store, machine web need network back"
        in error["found"]
    )


def told(played: Played) -> None:
    assert [row["name"] for row in played.task("do: network")["status"]] == ["front"]
    assert {row["kind"] for row in played.task("do: balancer")["status"]} == {"haproxy", "server"}
    assert played.task("do: balancer")["proof"]["failed"] == 0
    assert {(row["kind"], row["name"]) for row in played.task("do: mirror")["status"]} == {
        ("mirror", "debian"), ("mirror-node", "debian/node-1"), ("mirror-node", "debian/node-2"),
    }  # fmt: skip
    assert played.task("do: network gone")["status"] == []


def test_what_is_not_ours_or_not_there_is_refused(
    netns: None, play: Play, file: Path, document: dict[str, Any], tmp_path: Path
) -> None:
    bridge = f"{document['name']}.front"
    source = {"file": str(file), "run_dir": str(tmp_path / "run")}
    given = {
        "unknown": {"name": "frnt"},
        "all": {"name": "*"},
        "foreign": {"name": "front"},
        "foreign gone": {"name": "front", "state": "absent"},
        "beside": {"name": "back"},
    }
    tasks: list[dict[str, Any]] = [
        {
            "name": f"{said}: {name}",
            "lbkit.core.network": {**source, **more},
            "check_mode": said == "check",
            "ignore_errors": True,
        }
        for name, more in given.items()
        for said in ("check", "do")
    ]
    tasks.insert(4, {"ansible.builtin.command": f"ip link add {bridge} type bridge"})
    played = play(playbook(tmp_path, tasks))
    for name in given:
        foreseen, came = played.task(f"check: {name}"), played.task(f"do: {name}")
        assert foreseen.get("msg") == came.get("msg")
        assert came["changed"] is (name == "beside")
    assert "did you mean" in played.task("do: unknown")["msg"]
    assert "'network/[*]' was to name a part" in played.task("do: all")["msg"]
    assert "network front was to be made" in played.task("do: foreign")["msg"]
    assert not played.task("do: foreign gone").get("failed")
    subprocess.run(["ip", "link", "show", bridge], check=True, capture_output=True)
