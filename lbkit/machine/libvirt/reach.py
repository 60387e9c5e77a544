"""The way to a guest: which of its ports lead there from here, and what it says when it is greeted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from socket import socket
from typing import Any

from lbkit.base.host import Host
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.hypervisor.streams import open_channel
from lbkit.machine.guest.hello import Hello
from lbkit.machine.guest.port import Line, Port, unix_port
from lbkit.machine.guest.session import HELLO_WITHIN
from lbkit.machine.libvirt.names import channel_folder
from lbkit.machine.libvirt.observe import SeenDomain
from lbkit.machine.libvirt.xml.channel import LBKIT


def line_to(host: Host, at: ResolvedHost, domain: SeenDomain, *, hello_within: float = HELLO_WITHIN) -> Line:
    """On this machine its sockets, on another one libvirt's streams. Nothing is asked yet."""
    folder = channel_folder(host, at.uri, domain.name)
    return Line(
        key=(at.uri, domain.uuid),
        ports=[_port(at, domain, name, folder) for name in LBKIT],
        locks=folder,
        where=f"domain {domain.name}",
        expected=(domain.topology or "", domain.member),
        hello_within=hello_within,
        clock=host.clock,
    )


def greet(line: Line) -> tuple[Hello, Mapping[str, Any]]:
    """Who the guest says it is, and what is set in it. Raises Failure."""
    hello = line.guest()
    inside, _ = line.call("look", {})
    return hello, inside if isinstance(inside, dict) else {}


def _port(at: ResolvedHost, domain: SeenDomain, name: str, folder: Path) -> Port:
    if at.local:
        return unix_port(folder / name.rpartition(".")[2])
    return Port(name, _stream(at, domain.uuid, name))


def _stream(at: ResolvedHost, uuid: str, name: str) -> Callable[[], socket]:
    return lambda: open_channel(at, uuid, name)
