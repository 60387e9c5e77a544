"""A topology of one small virtual machine with a service, on a libvirt of the test's. Its guest is a shadow, if it has one.

The fixtures are for a module to take in: `from tests.machine.libvirt.small import daemon, hypervisor, lone, world`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.applying import Result
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.image.store import Store
from lbkit.machine.libvirt import reach
from tests.libvirtd import daemon, hypervisor, section
from tests.machine.libvirt.emulators import emulators
from tests.machine.libvirt.mute import mute_image
from tests.machine.libvirt.shadows import Shadows, answer_instead
from tests.machine.world import until

__all__ = ["daemon", "hypervisor", "lone", "world"]


@dataclass
class World:
    topology: str
    file: Path
    host: Host
    hypervisor: ResolvedHost
    daemon: Daemon
    mute: set[str] = field(default_factory=set)  # domains whose guests never say anything

    def declare(self, **vm: Any) -> Scope:
        """The topology, with more said of its machine."""
        document = {
            "lbkit": 1,
            "name": self.topology,
            "hosts": section(self.hypervisor),
            "networks": {"front": {"cidr": "10.80.0.0/24"}},
            "machines": {
                "vm": {
                    "driver": "libvirt",
                    "networks": ["front"],
                    "gateway": False,
                    "vm": {"image": "mute", "memory": "64MiB", "accelerator": "tcg", **vm},
                    "run": [{"name": "app", "command": ["sleep", "1000"]}],
                }
            },
        }
        self.file.write_text(json.dumps(document))
        return self.scope

    @property
    def scope(self) -> Scope:
        return operate.load(self.file)

    def apply(self) -> Result:
        return operate.apply(self.scope, self.host)

    def destroy(self) -> None:
        operate.destroy(self.scope, self.host)

    def plan(self) -> list[str]:
        return [str(change) for change in operate.plan(self.scope, self.host).changes]

    def pids(self) -> dict[str, int]:
        return emulators(self.daemon)

    def domain(self, generation: int = 1) -> str:
        return f"{self.topology}.vm.{generation}"

    def virsh(self, *words: str) -> str:
        command = ["virsh", "-q", "-c", self.hypervisor.uri, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    @property
    def domains(self) -> dict[str, str]:
        """By name: "running", or what else it is."""
        lines = self.virsh("list", "--all").splitlines()
        return {line.split()[1]: " ".join(line.split()[2:]) for line in lines}

    @property
    def plugged(self) -> list[str]:
        """The domains that run and have a link up."""
        found = []
        for name in emulators(self.daemon):
            domain = connect(self.hypervisor).raw.lookupByName(name)
            if domain.isActive() and "link state=" in (xml := domain.XMLDesc()) and "state='up'" in xml:
                found.append(name)
        return sorted(found)

    def standing(self) -> dict[str, list[str]]:
        """Of the machine all that there is on its host: domains, emulators, volumes, folders of sockets, TAPs."""
        pool = Path(self.hypervisor.path)
        volumes = pool.iterdir() if pool.is_dir() else ()
        folders = self.host.folder(self.topology) / "vm"
        links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True).stdout)
        return {
            "domains": sorted(self.domains),
            "emulators": sorted(emulators(self.daemon)),
            "volumes": sorted(each.name for each in volumes if not each.name.startswith("_image.")),
            "folders": ["one" for _ in folders.iterdir()] if folders.is_dir() else [],
            "taps": ["one" for each in links if each.get("master") == f"{self.topology}.front"],
        }

    def one(self, generation: int) -> dict[str, list[str]]:
        """What `standing` is where that generation stands, and nothing else."""
        name = self.domain(generation)
        return {
            "domains": [name],
            "emulators": [name],
            "volumes": [f"{name}.disk.qcow2", f"{name}.seed.iso"],
            "folders": ["one"],
            "taps": ["one"],
        }

    def generation(self) -> int:
        """Of the newest."""
        return max(int(name.rpartition(".")[2]) for name in self.domains)


NOTHING: dict[str, list[str]] = {"domains": [], "emulators": [], "volumes": [], "folders": [], "taps": []}


@pytest.fixture
def lone(
    host: Host,
    topology_name: str,
    hypervisor: ResolvedHost,
    daemon: Daemon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Its guest never says anything, but for a few last words on its console."""
    monkeypatch.setenv("LBKIT_IMAGES", str(tmp_path / "images"))
    own = replace(host, image_dir=tmp_path / "images")
    mute_image(Store(own), tmp_path)
    world = World(topology_name, tmp_path / "vm.json", own, hypervisor, daemon)
    world.declare()
    return world


@pytest.fixture
def world(lone: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Its guests answer at once. Afterwards nothing of it is left, which is a promise too."""
    monkeypatch.setattr(reach, "_port", reach._port)  # what is set there goes with the test
    folder = lone.host.run_dir / "shadows"
    answer_instead(folder)
    with Shadows(lone.daemon, lone.hypervisor, folder) as shadows:
        shadows.mute = lone.mute
        yield lone
        if lone.daemon.pid is not None:
            lone.destroy()
            assert gone(lone.standing) == NOTHING


def gone(standing: Callable[[], dict[str, list[str]]]) -> dict[str, list[str]]:
    """What stands in the end: a QEMU that was told to end takes a moment."""
    until(lambda: standing() == NOTHING, f"nothing is left, but {standing()}")
    return standing()
