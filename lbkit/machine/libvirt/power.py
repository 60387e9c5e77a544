"""Switch a virtual machine off, and on again: the same domain, with the disk that it has.

What is off because a person wanted it so has that noted on its domain; another one that does not run is made anew.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import Any

from lbkit.base.errors import Bug, LbkitError
from lbkit.base.files import make_folder
from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.resource import Actual
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import Connection, connect
from lbkit.hypervisor.failures import binding
from lbkit.machine.guest.port import Line
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.libvirt import booting, changing
from lbkit.machine.libvirt.fleet import Generation, has_become, look
from lbkit.machine.libvirt.metadata import Metadata
from lbkit.machine.libvirt.names import channel_folder, domain_name
from lbkit.machine.libvirt.noting import note
from lbkit.machine.libvirt.states import RUNNING
from lbkit.machine.libvirt.telling import Teller
from lbkit.machine.resolved import ResolvedMachine

_EVERY = 0.1  # seconds between two looks at whether it is off
_POWEROFF = ("systemctl", "poweroff", "--no-block")  # images have no logind that would hear of a power button


def off(scope: Scope, host: Host, member: str, left: float | None, tell: Teller) -> str:
    """What was done, in words. Older generations that stand beside it are off too."""
    said = []
    for generation in reversed(look(scope, host).generations.get(member, ())):
        domain, connection = generation.domain, connect(generation.host)
        with connection.doing(f"the domain {domain.name} was to be switched off") as raw:
            found = raw.lookupByUUIDString(domain.uuid)
            # before it is off: one that is, and has no note, is taken for dead, and its disk goes
            note(found, replace(metadata_of(generation), stopped=booting.noted(host.clock.now())))
        orderly = left is not None and _shut_down(scope, host, generation, left, tell)
        if not orderly:
            tell(f"switch {domain.name} off")
            _destroy(connection, generation)
        generation.line(host).drop()
        said.append(f"{domain.name} {'shut itself down' if orderly else 'switched off'}")
    look(scope, host)
    return "; ".join(said)


def on(
    scope: Scope,
    host: Host,
    generation: Generation | None,
    machine: ResolvedMachine,
    wanted: Change,
    tell: Teller,
) -> str:
    """Returns once its guest answers, and is who it is to be: its seed may say what was so when it was made."""
    if generation is None or wanted.have is None:
        raise Bug(f"{wanted.key} was to stand, to be started again")
    domain = generation.domain
    started = booting.noted(host.clock.now())
    tell(f"start {domain.name} again")
    if generation.host.local:  # it outlives a boot of its host, the folder of its sockets does not
        make_folder(channel_folder(host, generation.host.uri, domain.name))
    with connect(generation.host).doing(f"the domain {domain.name} was to be started") as raw:
        found = raw.lookupByUUIDString(domain.uuid)
        # as long as it has not answered it is one that was stopped: where it does not start, it is not made anew
        note(found, replace(metadata_of(generation), started=started, stopped=domain.stopped))
        found.create()
    boots = replace(
        generation,
        domain=replace(domain, state=RUNNING, reason="", started=started, stopped=""),
        hello=None,
        silence="",
        boots=True,
    )
    has_become(scope, host, boots)
    # with its keys as if they were others, as it is to be told all
    before = {**wanted.have.state, "running": True, "boots": started, "ssh_keys": None}
    have = Actual(wanted.have.key, before, wanted.have.owner)
    said = changing.change(scope, host, boots, machine, replace(wanted, have=have), tell)
    return f"{domain.name} started; {said}"


def metadata_of(generation: Generation) -> Metadata:
    """As it stands on the domain of a machine, without what it has of its life."""
    domain = generation.domain
    usual = domain_name(domain.topology or "", domain.member, domain.generation)
    return Metadata(
        domain.topology or "",
        domain.member,
        domain.generation,
        domain.wanted,
        domain.volumes,
        name="" if domain.name == usual else domain.name,
    )


def _shut_down(scope: Scope, host: Host, generation: Generation, left: float, tell: Teller) -> bool:
    """Whether its guest ended by itself within `left` seconds."""
    if not generation.runs:
        return False
    name = generation.domain.name
    deadline = host.clock.monotonic() + left
    tell(f"let {name} shut itself down, for {left:.0f} s at most")
    guest = RemoteMachine(
        scope.name, generation.domain.member, _Hurried(generation.line(host), max(0.1, left))
    )
    try:
        guest.execute(_POWEROFF)
    except LbkitError as error:
        tell(f"the guest of {name} did not take it: {error.found or error.wanted}")
        return False
    while _is_active(connect(generation.host), generation):
        if host.clock.monotonic() >= deadline:
            return False
        host.clock.sleep(_EVERY)
    return True


@dataclass(frozen=True, slots=True)
class _Hurried:
    """A guest that has `within` seconds for an answer, whatever it is asked: see `lbkit.machine.guest.remote.Asked`."""

    line: Line
    within: float

    def call(
        self, method: str, params: dict[str, Any], payload: bytes = b"", *, timeout: float = 30.0
    ) -> tuple[Any, bytes]:
        return self.line.call(method, params, payload, timeout=min(timeout, self.within))

    def open_unix(self, path: str, *, timeout: float = 5.0) -> socket.socket:
        return self.line.open_unix(path, timeout=min(timeout, self.within))

    def open_tcp(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        return self.line.open_tcp(address, port, timeout=min(timeout, self.within))


def _is_active(connection: Connection, generation: Generation) -> bool:
    name, uuid = generation.domain.name, generation.domain.uuid
    return connection.read(
        f"the domain {name} was to be looked at", lambda raw: bool(raw.lookupByUUIDString(uuid).isActive())
    )


def _destroy(connection: Connection, generation: Generation) -> None:
    libvirt = binding()
    with connection.doing(f"the domain {generation.domain.name} was to be switched off") as raw:
        found = raw.lookupByUUIDString(generation.domain.uuid)
        try:
            found.destroy()
        except libvirt.libvirtError:
            if found.isActive():  # else it has ended by itself
                raise
