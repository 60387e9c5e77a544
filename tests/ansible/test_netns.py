"""The connection to namespace machines: what plays do there, and what they are told where it cannot be."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import lbkit
from lbkit.base.host import Host
from tests.ansible.conftest import Play

pytestmark = pytest.mark.sandbox

LISTEN = "import socket; server = socket.create_server(('', 8000)); [server.accept() for _ in iter(int, 1)]"


@pytest.fixture
def topology(netns: None, topology_name: str, tmp_path: Path) -> Iterator[lbkit.Scope]:
    """Two machines on one network; the first has a service, and so a folder. Declared only: nothing stands."""
    service = {
        "name": "app",
        "command": ["/usr/bin/python3", "-c", LISTEN],
        "ready": {"port": 8000},
    }
    document = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.81.0.0/24"}},
        "machines": {"a": {"networks": ["in"], "run": [service]}, "b": {"networks": ["in"]}},
    }
    (tmp_path / "topology.yml").write_text(yaml.safe_dump(document))
    inventory = {"plugin": "lbkit.core.topology", "source": "topology.yml"}
    (tmp_path / "t.lbkit.yml").write_text(yaml.safe_dump(inventory))
    scope = lbkit.load(tmp_path / "topology.yml")
    yield scope
    lbkit.destroy(scope)


def playbook(folder: Path, *tasks: dict[str, Any]) -> Path:
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "lbkit_machines", "gather_facts": False, "tasks": tasks}]))
    return path


def test_a_play_as_on_any_host(play: Play, topology: lbkit.Scope, tmp_path: Path) -> None:
    lbkit.apply(topology)
    (tmp_path / "template.j2").write_text(
        "{{ inventory_hostname }} {{ ansible_facts.default_ipv4.address }}\n"
    )
    large = bytes(range(256)) * 8000
    (tmp_path / "large").write_bytes(large)
    other = "nobody" if Host().can_switch_user else "root"
    to = f"{tmp_path}/{{{{ inventory_hostname }}}}"
    tasks = [
        {"name": "facts", "setup": {"gather_subset": ["!all", "network"]}},
        {"name": "links", "command": "ip -o -4 address show"},
        {"name": "folder", "command": "pwd"},
        {"name": "environment", "shell": "env; cat", "args": {"stdin": "given"}},
        {"name": "reach", "wait_for": {"host": "{{ hostvars.a.ansible_host }}", "port": 8000, "timeout": 10}},
        {"name": "template", "template": {"src": str(tmp_path / "template.j2"), "dest": f"{to}.txt"}},
        {"name": "copy", "copy": {"src": str(tmp_path / "large"), "dest": f"{to}.large", "mode": "0640"}},
        {"name": "slurp", "slurp": {"src": f"{to}.txt"}},
        {"name": "fetch", "fetch": {"src": f"{to}.large", "dest": f"{to}.fetched", "flat": True}},
        {"name": "become", "raw": "id -un", "become": True, "become_user": other, "become_method": "su",
         "vars": {"ansible_become_flags": "-s /bin/sh"}},
        {"name": "fails", "command": "sh -c 'echo out; echo err >&2; exit 3'", "ignore_errors": True},
    ]  # fmt: skip
    inventory = str(tmp_path / "t.lbkit.yml")
    played = play(playbook(tmp_path, *tasks), "-i", inventory, ansible_pipelining=True)
    assert played.code == 0, [task for task in played.tasks if task["outcome"] != "ok"]
    for member in ("a", "b"):
        address = str(topology.book.entries[f"machines.{member}"][0].addresses["in"][0])
        facts = played.task("facts", member)["ansible_facts"]
        assert set(facts["ansible_interfaces"]) == {"lo", "in"}
        assert facts["ansible_in"]["ipv4"]["address"] == address
        assert facts["ansible_in"]["macaddress"]
        assert f" {address}/24 " in played.task("links", member)["stdout"]
        assert (tmp_path / f"{member}.txt").read_text() == f"{member} {address}\n"
        content = base64.b64decode(played.task("slurp", member)["content"])
        assert content == (tmp_path / f"{member}.txt").read_bytes()
        assert (tmp_path / f"{member}.fetched").read_bytes() == large
        assert played.task("become", member)["stdout"].split() == [other]
        environment = played.task("environment", member)["stdout"]
        assert environment.endswith("given")
        assert "ANSIBLE_HOME" not in environment
        failed = played.task("fails", member)
        assert (failed["rc"], failed["stdout"], failed["stderr"]) == (3, "out", "err")
    assert played.task("folder", "a")["stdout"] == f"/run/lbkit/{topology.name}/machines/a"
    assert played.task("folder", "b")["stdout"] == "/"
    # the other way: a module is copied, then run. What stands already is no change
    again = play(playbook(tmp_path, tasks[6]), "-i", inventory, ansible_pipelining=False)
    assert [task["result"]["changed"] for task in again.tasks] == [False, False]


def test_a_machine_that_does_not_stand(play: Play, topology: lbkit.Scope, tmp_path: Path) -> None:
    played = play(playbook(tmp_path, {"name": "ask", "ping": None}), "-i", str(tmp_path / "t.lbkit.yml"))
    assert played.code == 4
    told = played.task("ask", "a")
    assert told["unreachable"] is True
    assert f"{topology.name}.a" in told["msg"]
    assert "lbkit apply" in told["msg"]
