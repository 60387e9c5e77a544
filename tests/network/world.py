"""Topologies of networks and namespaces for tests, made by hand: what `resolve` would give."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Collection, Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from lbkit.base import syscalls
from lbkit.base.host import Host
from lbkit.base.mark import mark
from lbkit.base.names import link_name
from lbkit.engine.applying import Result, carry_out
from lbkit.engine.book import Book
from lbkit.engine.journal import Journal
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.network import sysctl
from lbkit.network.links import WantedInterface, WantedNamespace
from lbkit.network.netlink.channel import Netlink
from lbkit.network.resolve import Networks, ResolvedNetwork
from lbkit.network.room import ROOM


def network(
    topology: str, name: str, *gateways: str, nat: bool = False, mtu: int = 1500, bridge: str = ""
) -> ResolvedNetwork:
    addresses = tuple(ip_interface(gateway) for gateway in gateways)
    prefixes = tuple(address.network for address in addresses)
    return ResolvedNetwork(name, bridge or f"{topology}.{name}", prefixes, addresses, nat, mtu)


def scope(topology: str, *networks: ResolvedNetwork) -> Scope:
    resolved = {"network": Networks({each.name: each for each in networks})}
    return Scope(name=topology, folder=Path("/nowhere"), file="", resolved=resolved, book=Book())


def plan(of: Scope, host: Host, *, absent: bool = False, adopt: Collection[Key] = ()) -> Plan:
    return make_plan([ROOM], of, host, absent=absent, adopt=adopt)


def apply(of: Scope, host: Host, *, absent: bool = False, adopt: Collection[Key] = ()) -> Result:
    journal = Journal(host.folder(of.name) / "journal.jsonl", host.clock)
    return carry_out(plan(of, host, absent=absent, adopt=adopt), [ROOM], of, host, journal=journal)


def interface(topology: str, member: str, on: ResolvedNetwork, *addresses: str) -> WantedInterface:
    return WantedInterface(
        name=on.name,
        host_link=link_name(topology, member, on.name),
        bridge=on.bridge,
        mac=mac(member, on.name),
        mtu=on.mtu,
        addresses=tuple(ip_interface(address) for address in addresses),
        mark=mark(topology, "machine", member, on.name),
    )


def mac(*parts: str) -> str:
    return bytes.fromhex("02" + link_name(*parts)[2:12]).hex(":")


def namespace(
    topology: str, member: str, *interfaces: WantedInterface, routes: Collection[tuple[str, str]] = ()
) -> WantedNamespace:
    return WantedNamespace(
        name=f"{topology}.{member}",
        mark=mark(topology, "machine", member),
        interfaces=interfaces,
        routes=tuple((ip_network(to), ip_address(via)) for to, via in routes),
    )


def silent(_name: str, _words: str) -> None:
    pass


@contextlib.contextmanager
def killed_at(step: int) -> Iterator[None]:
    """For a forked child: every effect on the kernel counts as a step, and before step number `step` it is killed."""
    count = itertools.count()

    def counted(effect: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **more: Any) -> Any:
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return effect(*arguments, **more)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Netlink, "_write", counted(Netlink._write))
        for module, name in (
            (syscalls, "unshare"),
            (syscalls, "mount"),
            (syscalls, "unmount"),
            (sysctl, "put"),
            (os, "link"),
            (os, "unlink"),
        ):
            patch.setattr(module, name, counted(getattr(module, name)))
        yield


def survives(step: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that is killed before its step number `step`. True: it ended before it came so far."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with killed_at(step):
                act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return status == 0
