"""The virtual machines of a topology as they are now: every generation of each, and whether its guest answers. Reads only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lbkit.base.errors import Bug, LbkitError
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.failures import Unreachable
from lbkit.hypervisor.resolved import Hypervisors, ResolvedHost
from lbkit.machine.guest.hello import Hello
from lbkit.machine.guest.port import Line
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.libvirt import booting
from lbkit.machine.libvirt.concern import hosts_of
from lbkit.machine.libvirt.names import parted
from lbkit.machine.libvirt.observe import SeenDomain, seen_domains
from lbkit.machine.libvirt.reach import greet, line_to
from lbkit.machine.libvirt.states import BY_SOMEBODY, PAUSED, RUNNING
from lbkit.machine.resolved import Machines, ResolvedMachine, ResolvedVm

WORKERS = 16  # guests that are asked at a time: each answers in its own time


@dataclass(frozen=True, slots=True)
class Generation:
    """One domain of a machine. `hello` is what its guest said; None where it was not asked, or did not answer (`silence`)."""

    domain: SeenDomain
    host: ResolvedHost
    hello: Hello | None = None
    inside: Mapping[str, Any] = field(default_factory=dict)  # what is set in the guest (guest/setting.py)
    silence: str = ""
    boots: bool = False  # it may answer yet (booting.py)
    boot_timeout: float = booting.WITHIN  # seconds

    @property
    def number(self) -> int:
        return self.domain.generation

    @property
    def runs(self) -> bool:
        return self.domain.state == RUNNING

    @property
    def of_use(self) -> bool:
        """It runs and is on its networks. Another one beside it was to take over, and did not get that far."""
        return self.runs and any(each.link_up for each in self.domain.interfaces)

    def line(self, host: Host) -> Line:
        """To its guest."""
        return line_to(host, self.host, self.domain)

    def left(self, host: Host) -> float:
        """Seconds that it may still take to boot."""
        return booting.left(self.domain.started, host.clock.now(), self.boot_timeout)


@dataclass(frozen=True, slots=True)
class Spare:
    """A machine that booted once, is nobody yet, and waits with its memory: `kept` on "disk" or in "memory"; "": it does not."""

    domain: SeenDomain
    host: ResolvedHost
    kept: Literal["", "disk", "memory"]

    @property
    def number(self) -> int:
        return self.domain.generation


@dataclass(frozen=True)
class Fleet:
    """`generations` by member, the oldest first. `foreign`: by member, a domain of its name that lbkit did not make."""

    generations: Mapping[str, tuple[Generation, ...]] = field(default_factory=dict)
    foreign: Mapping[str, SeenDomain] = field(default_factory=dict)
    spares: Mapping[str, tuple[Spare, ...]] = field(default_factory=dict)  # by group, the oldest first
    unseen: Mapping[str, Unreachable] = field(
        default_factory=dict
    )  # by name, hosts that could not be looked at

    def newest(self, member: str) -> Generation | None:
        return next(reversed(self.generations.get(member, ())), None)

    def older(self, member: str) -> tuple[Generation, ...]:
        return self.generations.get(member, ())[:-1]


_last: dict[tuple[str, Path], Fleet] = {}
_broken: dict[str, str] = {}  # by UUID, domains whose guests did not do as machines do; and what they said
_lock = threading.Lock()


def look(scope: Scope, host: Host) -> Fleet:
    """As it is now. Hosts that cannot be reached are told in it; Unreachable where none can be."""
    generations: dict[str, list[Generation]] = {}
    foreign: dict[str, SeenDomain] = {}
    spares: dict[str, list[Spare]] = {}
    vms = {name: vm_of(machine) for name, machine in declared(scope).items()}
    found, unseen = _seen(scope, host)
    for domain, at in found:
        name = parted(domain.name)
        if domain.topology == scope.name and domain.spare:
            spares.setdefault(domain.member, []).append(Spare(domain, at, _kept(at, domain)))
        elif domain.topology == scope.name:
            vm = vms.get(domain.member)
            within = vm.boot_timeout if vm else booting.WITHIN
            generations.setdefault(domain.member, []).append(Generation(domain, at, boot_timeout=within))
        elif name is not None and name[0] == scope.name:
            foreign.setdefault(name[1], domain)
    ordered = {
        member: sorted(each, key=partial(_age, declared(scope).get(member)))
        for member, each in generations.items()
    }
    newest = [each[-1] for each in ordered.values() if each[-1].runs]
    with ThreadPoolExecutor(max(1, min(WORKERS, len(newest))), thread_name_prefix="lbkit-guest") as pool:
        for asked in pool.map(partial(_ask, host=host), newest):
            ordered[asked.domain.member][-1] = asked
    fleet = Fleet(
        {member: tuple(each) for member, each in ordered.items()},
        foreign,
        {group: tuple(sorted(each, key=lambda spare: spare.number)) for group, each in spares.items()},
        unseen,
    )
    with _lock:
        _last[scope.name, host.run_dir] = fleet
    return fleet


def _seen(
    scope: Scope, host: Host
) -> tuple[Iterable[tuple[SeenDomain, ResolvedHost]], dict[str, Unreachable]]:
    """Each domain once: two hosts may be one libvirt by two names. It stands on the one that it was made for."""
    found: dict[str, tuple[SeenDomain, ResolvedHost]] = {}
    unseen: dict[str, Unreachable] = {}
    hosts = list(hosts_of(scope, host))
    with ThreadPoolExecutor(max(1, min(WORKERS, len(hosts))), thread_name_prefix="lbkit-host") as pool:
        asked = [(at, pool.submit(seen_domains, connect(at), scope.name)) for at in hosts]
    for at, answer in asked:
        try:
            domains = answer.result()
        except Unreachable as error:
            unseen[at.name] = error
            if len(unseen) == len(hosts):
                raise
            continue
        for domain in domains:
            if domain.uuid not in found or _rank(domain, at) > _rank(*found[domain.uuid]):
                found[domain.uuid] = (domain, at)
    return found.values(), unseen


def _age(machine: ResolvedMachine | None, generation: Generation) -> tuple[int, bool, bool, bool, str]:
    """The newest is the machine. Two of one number there are where one was made while nobody asked the other's host, as
    it was in no file: then the one that is of use, then the one where it is declared, then always the same.
    """
    at_home = machine is not None and generation.host.name == machine.host
    return generation.number, generation.of_use, generation.runs, at_home, generation.domain.uuid


def reachable(scope: Scope, host: Host) -> list[ResolvedHost]:
    """Of the hosts where machines may stand those that answered when this process looked last."""
    unseen = last(scope, host).unseen
    return [at for at in hosts_of(scope, host) if at.name not in unseen]


def left_alone(scope: Scope, host: Host) -> dict[str, str]:
    """Machines by name of which nobody can tell whether they stand, or which cannot be reached where they shall; and why.

    One that is seen nowhere may run on the host that is not seen: it is never made a second time. Nor is one touched of
    which all that is seen has its links down: what has its addresses may run there.
    """
    fleet = last(scope, host)
    if not fleet.unseen:
        return {}
    why = {name: f"host {name} cannot be reached ({error.found})" for name, error in fleet.unseen.items()}
    return {
        machine.name: why.get(machine.host) or "; ".join(why.values())
        for machine in declared(scope).values()
        if machine.host in fleet.unseen or not any(map(_plugged, fleet.generations.get(machine.name, ())))
    }


def _plugged(generation: Generation) -> bool:
    """It has its place on its networks, or had it when it died: who takes that over sets links down first, for good."""
    interfaces = generation.domain.interfaces
    return not interfaces or any(each.link_up for each in interfaces)


def _rank(domain: SeenDomain, at: ResolvedHost) -> tuple[bool, bool]:
    return domain.state == RUNNING, domain.wanted.get("host") == at.name


def last(scope: Scope, host: Host) -> Fleet:
    """As it was when this process looked last: who asks a machine need not ask libvirt before."""
    with _lock:
        fleet = _last.get((scope.name, host.run_dir))
    return look(scope, host) if fleet is None else fleet


def has_become(scope: Scope, host: Host, generation: Generation) -> None:
    """A new generation answers: from now on it is the machine, for all who ask. Or the newest is not what it was."""
    member = generation.domain.member

    def noted(fleet: Fleet) -> Fleet:
        others = _without(fleet, generation.domain.uuid)
        several = (*others.generations.get(member, ()), generation)
        return replace(others, generations={**others.generations, member: several})

    _note(scope, host, noted)


def has_gone(scope: Scope, host: Host, generation: Generation) -> None:
    """A machine's, or a spare."""
    generation.line(host).drop()
    _broken.pop(generation.domain.uuid, None)
    _note(scope, host, lambda fleet: _without(fleet, generation.domain.uuid))


def distrust(scope: Scope, host: Host, generation: Generation, why: str) -> None:
    """It is not asked any more: it answers, and that is of no use."""
    _broken[generation.domain.uuid] = why
    has_become(scope, host, replace(generation, hello=None, silence=why, boots=False))


def _without(fleet: Fleet, uuid: str) -> Fleet:
    generations = {
        member: tuple(each for each in several if each.domain.uuid != uuid)
        for member, several in fleet.generations.items()
    }
    spares = {
        group: tuple(each for each in several if each.domain.uuid != uuid)
        for group, several in fleet.spares.items()
    }
    left = {member: several for member, several in generations.items() if several}
    return replace(fleet, generations=left, spares=spares)


def _note(scope: Scope, host: Host, change: Callable[[Fleet], Fleet]) -> None:
    """Several machines change at a time: each change is made of what the one before noted."""
    last(scope, host)
    with _lock:
        _last[scope.name, host.run_dir] = change(_last[scope.name, host.run_dir])


def is_taken(scope: Scope, host: Host, spare: Spare) -> None:
    """A machine is made of it: nobody else may take it."""
    _note(scope, host, lambda fleet: _without(fleet, spare.domain.uuid))


def declared(scope: Scope) -> dict[str, ResolvedMachine]:
    machines = scope.of("machine", Machines).by_name.values()
    return {machine.name: machine for machine in machines if machine.driver == "libvirt"}


def vm_of(machine: ResolvedMachine) -> ResolvedVm:
    if machine.vm is None:
        raise Bug(f"machine {machine.name} was to be virtual")
    return machine.vm


def host_of(scope: Scope, name: str) -> ResolvedHost:
    return scope.of("hypervisor", Hypervisors).by_name[name]


def _kept(at: ResolvedHost, domain: SeenDomain) -> Literal["", "disk", "memory"]:
    if domain.state == PAUSED:
        return "memory" if domain.reason == BY_SOMEBODY else ""
    saved = connect(at).read(
        f"the domain {domain.name} was to be looked at",
        lambda raw: bool(raw.lookupByUUIDString(domain.uuid).hasManagedSaveImage()),
    )
    return "disk" if saved else ""


def _ask(generation: Generation, host: Host) -> Generation:
    """One that greets, and does not tell what runs in it, is of no use either: nothing could be planned of it."""
    domain, line = generation.domain, generation.line(host)
    if domain.uuid in _broken:
        return replace(generation, silence=_broken[domain.uuid])
    boots = generation.left(host) > 0
    if boots:
        line = replace(line, hello_within=booting.GREETED_WITHIN)
    try:
        hello, inside = greet(line)
        RemoteMachine(domain.topology or "", domain.member, line).processes()
    except LbkitError as error:
        return replace(generation, silence=error.found or str(error), boots=boots)
    return replace(generation, hello=hello, inside=inside, boots=boots and not hello.identity)
