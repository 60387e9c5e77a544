"""A cloud image as its publisher makes it: taken by its digest, booted by its own boot loader, and lbkit's by cloud-init alone."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from lbkit.hypervisor.connection import close_all, connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.image.store import Store
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine as handle
from lbkit.machine.libvirt.agent import GuestAgent
from lbkit.machine.libvirt.standing import standing
from tests import images
from tests.ansible.conftest import Play, play
from tests.cloudlike import cloud_image
from tests.libvirtd import CACHE, section
from tests.machine.libvirt.agent_promises import awaited
from tests.machine.world import until

__all__ = ["play"]

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]

ADDRESS, OTHER = "10.97.0.10", "fd97::10"
PATIENCE = 200.0  # seconds: a bound, nothing that is asserted
USER_DATA = {
    "users": [{"name": "ada", "ssh_authorized_keys": ["ssh-ed25519 AAAA of-user-data"]}],
    "locale": "C.UTF-8",  # any other one is a package's that the image has not
    "write_files": [{"path": "/etc/of-user-data", "content": "it was read\n"}],
}


@dataclass(frozen=True)
class World:
    scope: Scope
    host: Host
    hypervisor: ResolvedHost
    folder: Path

    @property
    def guest(self) -> Machine:
        return handle(self.scope, self.host, "lb")


def taken(folder: Path) -> None:
    """The image is in the store, by the command line: all that is said of it is its digest."""
    disk = cloud_image(images.built(), folder)
    with disk.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    add = [sys.executable, "-m", "lbkit", "image", "add", "cloudlike", disk, "--sha256", digest]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LBKIT_IMAGES": str(folder / "images")}
    subprocess.run(add, check=True, env=environment)
    disk.unlink()


def document(name: str, hypervisor: ResolvedHost, key: str) -> dict[str, object]:
    server = [sys.executable, "-I", "-m", "http.server", "8080", "--bind", "10.97.0.20"]
    return {
        "lbkit": 1,
        "name": name,
        "hosts": section(hypervisor),
        "networks": {"front": {"cidr": ["10.97.0.0/24", "fd97::/64"], "nat": True}},
        "machines": {
            "lb": {
                "driver": "libvirt",
                "networks": {"front": {"addresses": [ADDRESS, OTHER]}},
                "vm": {
                    "image": "cloudlike",
                    "memory": "384MiB",
                    "accelerator": "tcg",
                    "ssh_keys": [key],
                    "user_data": {"content": "#cloud-config\n" + json.dumps(USER_DATA)},
                },
            },
            "web": {
                "networks": {"front": {"addresses": "10.97.0.20"}},
                "run": [{"name": "app", "command": server, "ready": {"port": 8080}}],
            },
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "frontends": {"http": {"bind": 80, "mode": "http", "backend": "web"}},
                "backends": {"web": {"servers": [{"machines": "web", "port": 8080}], "health_check": {}}},
            }
        },
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """It stands. For all tests, as the boot takes most of their time; in the network of the worker."""
    folder = tmp_path_factory.mktemp("foreign")
    taken(folder)
    host = Host(run_dir=Path("/run/t", secrets.token_hex(3)), image_dir=folder / "images")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    key = (folder / "key.pub").read_text().strip()
    with Daemon(host.run_dir / "libvirt", cache=CACHE) as daemon:
        hypervisor = ResolvedHost("local", daemon.uri, "lbkit", str(folder / "pool"))
        data = document(f"f{secrets.token_hex(2)}", hypervisor, key)
        (folder / "topology.json").write_text(json.dumps(data))
        scope = operate.load(folder / "topology.json")
        operate.apply(scope, host)
        yield World(scope, host, hypervisor, folder)
        operate.destroy(scope, host)
    close_all()


def page(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/", timeout=30) as answer:
        return bytes(answer.read())


def in_guest(world: World, *argv: str) -> str:
    return world.guest.execute(argv).stdout


def link(world: World, state: str) -> None:
    """As if its cable was pulled out, or put in again."""
    name = f"{world.scope.name}.lb.1"
    raw = connect(world.hypervisor).raw.lookupByName(name)
    interface = ET.fromstring(raw.XMLDesc()).find("devices/interface")
    assert interface is not None
    for each in interface.findall("link"):
        interface.remove(each)
    ET.SubElement(interface, "link", state=state)
    raw.updateDeviceFlags(ET.tostring(interface, encoding="unicode"))


def test_it_starts_by_its_boot_loader_becomes_lbkit_s_and_serves(world: World) -> None:
    image = Store(world.host).find("cloudlike")
    assert (image.guest, image.kernel, image.initrd) == ("cloud-init", None, None)
    until(
        lambda: all(each.health is Health.UP for each in operate.status(world.scope, world.host)), "all is up"
    )
    assert b"Directory listing" in page(ADDRESS)
    assert b"Directory listing" in page(f"[{OTHER}]")
    assert set(world.guest.addresses("front")) >= {ip_address(ADDRESS), ip_address(OTHER)}
    assert in_guest(world, "hostname") == "lb\n"
    assert not operate.plan(world.scope, world.host)


def test_what_users_say_to_cloud_init_is_done_beside_what_lbkit_says(world: World) -> None:
    ended = world.guest.execute(("cloud-init", "status", "--wait"), timeout=PATIENCE)
    assert "status: done" in ended.stdout
    assert not in_guest(world, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert in_guest(world, "cat", "/etc/of-user-data") == "it was read\n"
    assert "of-user-data" in in_guest(world, "cat", "/home/ada/.ssh/authorized_keys")
    quiet = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes")
    ssh = ["ssh", "-F", "none", *quiet, "-i", world.folder / "key", f"root@{ADDRESS}", "hostname"]
    assert subprocess.run(ssh, check=True, capture_output=True, text=True, timeout=60).stdout == "lb\n"
    assert not operate.plan(world.scope, world.host)


def test_its_own_network_program_may_set_what_lbkit_has_set(world: World) -> None:
    """systemd-networkd takes static addresses from a link that is unplugged, and gives them again."""
    before = set(world.guest.addresses("front"))
    link(world, "down")
    until(lambda: ip_address(ADDRESS) not in world.guest.addresses("front"), "it takes them")
    link(world, "up")
    until(lambda: set(world.guest.addresses("front")) == before, "it gives them again")
    until(lambda: not operate.plan(world.scope, world.host), "there is nothing to do")
    assert b"Directory listing" in page(ADDRESS)


def test_a_play_configures_it_by_its_guest_agent(world: World, play: Play, tmp_path: Path) -> None:
    inventory = world.folder / "world.lbkit.yml"
    inventory.write_text(json.dumps({"plugin": "lbkit.core.topology", "source": "topology.json"}))
    (tmp_path / "motd.j2").write_text("{{ lbkit_member }} has {{ ansible_host }}\n")
    motd = {"src": str(tmp_path / "motd.j2"), "dest": "/etc/motd", "mode": "0640"}
    tasks = [
        {"name": "template", "template": motd},
        {"name": "command", "command": "sh -c 'id -un; stat -c %a /etc/motd'"},
        {"name": "slurp", "slurp": {"src": "/etc/motd"}},
    ]
    book = [{"hosts": "lbkit_driver_libvirt", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(book))
    with standing(world.hypervisor.uri, world.scope.name, "lb") as domain:
        awaited(GuestAgent(domain))
    played = play(tmp_path / "play.yml", "-i", str(inventory), ansible_pipelining=True)
    assert played.code == 0, played.text
    assert played.task("template")["changed"]
    assert played.task("command")["stdout_lines"] == ["root", "640"]
    assert base64.b64decode(played.task("slurp")["content"]).decode() == f"lb has {ADDRESS}\n"
    assert not operate.plan(world.scope, world.host)


def test_it_goes_without_a_trace(world: World) -> None:
    operate.destroy(world.scope, world.host)
    raw = connect(world.hypervisor).raw
    assert not raw.listAllDomains()
    assert not raw.listAllStoragePools()
    assert not [*world.folder.glob("pool/*")]
    assert not (world.host.run_dir / world.scope.name).exists()
    links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True).stdout)
    assert not [each["ifname"] for each in links if each["ifname"] != "lo"]
