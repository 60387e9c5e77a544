"""The connection by the guest agent: libvirt's test driver has the domains, a real qemu-ga on this host is the agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from lbkit.machine.libvirt.metadata import Metadata, metadata_element
from tests.ansible.conftest import Play
from tests.machine.libvirt.agents import qemu_ga

pytestmark = pytest.mark.sandbox

STANDIN = Path(__file__).parent / "standin"


def domain(name: str, *, mark: Metadata | None = None) -> ET.Element:
    made = ET.Element("domain", type="test")
    ET.SubElement(made, "name").text = name
    ET.SubElement(made, "memory").text = "65536"
    ET.SubElement(ET.SubElement(made, "os"), "type").text = "hvm"
    if mark is not None:
        ET.SubElement(made, "metadata").append(metadata_element(mark))
    return made


@pytest.fixture
def inventory(topology_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two virtual machines. Of `a` two generations run, and one of the same form that is not lbkit's; of `b` none."""
    node = ET.Element("node")
    for generation in (1, 10, 9):
        name = f"{topology_name}.a.{generation}"
        node.append(domain(name, mark=Metadata(topology_name, "a", generation, {})))
    node.append(domain(f"{topology_name}.a.11"))
    ET.ElementTree(node).write(tmp_path / "node.xml")
    machine = {"driver": "libvirt", "networks": ["in"], "vm": {"image": "debian-12-lb", "memory": "256MiB"}}
    document = {
        "lbkit": 1,
        "name": topology_name,
        "hosts": {"lab": {"uri": f"test://{tmp_path}/node.xml"}},
        "networks": {"in": {"cidr": "10.81.0.0/24"}},
        "machines": {"a": machine, "b": dict(machine)},
    }
    (tmp_path / "topology.yml").write_text(yaml.safe_dump(document))
    path = tmp_path / "t.lbkit.yml"
    path.write_text(yaml.safe_dump({"plugin": "lbkit.core.topology", "source": "topology.yml"}))
    monkeypatch.setenv("LBKIT_TEST_AGENTS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(STANDIN))
    return path


@pytest.fixture
def agent(inventory: Path, topology_name: str, tmp_path: Path) -> Iterator[None]:
    """Of the newest generation alone: whoever asks another one gets no answer."""
    with qemu_ga(tmp_path, f"{topology_name}.a.10"):
        yield


def playbook(folder: Path, *tasks: dict[str, Any]) -> Path:
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "lbkit_machines", "gather_facts": False, "tasks": tasks}]))
    return path


def test_a_play_in_a_guest(play: Play, inventory: Path, agent: None, tmp_path: Path) -> None:
    large = bytes(range(256)) * 6000
    (tmp_path / "large").write_bytes(large)
    to = str(tmp_path / "there")
    tasks = [
        {"name": "command", "command": "sh -c 'pwd; id -un; echo $HOME; echo err >&2; exit 3'", "ignore_errors": True},
        {"name": "copy", "copy": {"src": str(tmp_path / "large"), "dest": to, "mode": "0640"}},
        {"name": "fetch", "fetch": {"src": to, "dest": f"{to}.fetched", "flat": True}},
        {"name": "missing", "fetch": {"src": "/no/such/file", "dest": f"{to}.none", "flat": True}, "ignore_errors": True},
        {"name": "folder", "fetch": {"src": str(tmp_path), "dest": f"{to}.none", "flat": True}, "ignore_errors": True},
        {"name": "endless", "raw": "sleep 1000", "vars": {"lbkit_command_timeout": 1}, "ignore_errors": True},
        {"name": "much", "slurp": {"src": to}},
        {"name": "become", "raw": "id -un", "become": True, "become_user": "root", "become_method": "su"},
    ]  # fmt: skip
    words = ["-i", str(inventory), "--limit", "a"]
    played = play(playbook(tmp_path, *tasks), *words, ansible_pipelining=True)
    assert played.code == 0, [task for task in played.tasks if task["outcome"] != "ok"]
    command = played.task("command")
    assert (command["rc"], command["stdout_lines"], command["stderr"]) == (3, ["/", "root", "/root"], "err")
    assert (tmp_path / "there").read_bytes() == large
    assert (tmp_path / "there.fetched").read_bytes() == large
    assert "within 1 s" in played.task("endless")["msg"]
    assert not (tmp_path / "there.none").exists()
    assert played.task("become")["stdout"].split() == ["root"]
    again = play(playbook(tmp_path, tasks[1]), *words, ansible_pipelining=False)
    assert again.task("copy")["changed"] is False


def test_an_agent_that_does_not_answer(
    play: Play, inventory: Path, topology_name: str, tmp_path: Path
) -> None:
    played = play(
        playbook(tmp_path, {"name": "ask", "ping": None}), "-i", str(inventory), lbkit_agent_timeout=1
    )
    assert played.code == 4
    silent = played.task("ask", "a")
    assert silent["unreachable"] is True
    assert f"domain {topology_name}.a.10" in silent["msg"], "the newest that is lbkit's"
    assert "qemu-guest-agent" in silent["msg"]
    gone = played.task("ask", "b")
    assert gone["unreachable"] is True
    assert f"{topology_name}.b.N" in gone["msg"]
    assert "lbkit apply" in gone["msg"]


def test_a_libvirt_that_is_not_there(play: Play, inventory: Path, tmp_path: Path) -> None:
    uri = {"lbkit_libvirt_uri": f"qemu+unix:///system?socket={tmp_path}/no"}
    played = play(playbook(tmp_path, {"name": "ask", "ping": None}), "-i", str(inventory), **uri)
    assert played.code == 4
    assert "libvirt" in played.task("ask", "a")["msg"]
    assert f"{tmp_path}/no" in played.task("ask", "a")["msg"]
