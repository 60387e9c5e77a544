"""A node that is a virtual machine: the same programs there, and one that is replaced serves nothing before it has what is committed."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.engine.change import Action
from lbkit.engine.resource import Key
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.handle import machine
from lbkit.mirror import operations
from lbkit.mirror.resolved import Mirrors
from lbkit.topology.load import load_data
from tests import images
from tests.libvirtd import daemon, hypervisor, section
from tests.machine.libvirt.emulators import emulators, kill
from tests.machine.world import until
from tests.mirror.tree.trees import lay

__all__ = ["daemon", "hypervisor"]

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("vm")]

BOOTS = 240.0  # seconds that an emulated guest may take for anything


def document(name: str, upstream: Path, hypervisor: ResolvedHost) -> dict[str, Any]:
    image = images.built().identity[:25]
    return {
        "lbkit": 1,
        "name": name,
        "hosts": section(hypervisor),
        "networks": {"back": {"cidr": "10.96.1.0/24"}},
        "machines": {
            "store": {"networks": ["back"]},
            "node": {
                "driver": "libvirt",
                "networks": ["back"],
                "vm": {"image": image, "memory": "256MiB", "accelerator": "tcg"},
            },
        },
        "mirrors": {
            "one": {
                "upstream": str(upstream),
                "master": "store",
                "nodes": "node",
                "freshness": {"contact": "20s"},
            }
        },
    }


def test_a_virtual_node_serves_what_is_committed_and_so_does_its_successor(
    topology_name: str, tmp_path: Path, host: Host, daemon: Daemon, hypervisor: ResolvedHost
) -> None:
    lay(tmp_path / "upstream", {b"index": b"1", b"pool/a": b"a" * 10_000})
    write_key(tmp_path / "one.key")
    scope = load_data(document(topology_name, tmp_path / "upstream", hypervisor), tmp_path)

    def got() -> tuple[int, bytes]:
        address = str(scope.of("mirror", Mirrors).by_name["one"].inner["node"])
        with closing(http.client.HTTPConnection(address, 80, timeout=30)) as connection:
            connection.sock = machine(scope, host, "store").dial(address, 80, timeout=30)
            connection.request("GET", "/one/index")
            answer = connection.getresponse()
            return answer.status, answer.read()

    try:
        operate.apply(scope, host)
        assert not operate.plan(scope, host)
        assert operations.sync(scope, "one", host, wait=BOOTS).committed
        until(lambda: got() == (200, b"1"), "it serves", within=BOOTS)

        there = machine(scope, host, "node")
        there.put(there.folder("mirror-one-node") / "data/store/gen-1/pool/a", b"b" * 10_000)
        found = operations.verify(scope, "one", host, mend=True)
        assert (found.damaged, found.mended, found.left) == (1, 1, 0)

        [domain] = emulators(daemon)
        kill(daemon, domain)
        until(
            lambda: any(
                each.key == Key("machine", "node") and each.action is Action.REPLACE
                for each in operate.plan(scope, host).changes
            ),
            "it is seen to be dead",
            within=60,
        )
        (tmp_path / "upstream" / "index").write_bytes(b"22")
        operate.apply(scope, host)
        assert operations.sync(scope, "one", host, wait=BOOTS).serial == 2
        until(lambda: got() == (200, b"22"), "its successor serves", within=BOOTS)
        assert not operate.plan(scope, host)
    finally:
        operate.apply(scope, host, absent=True)
