"""The driver `libvirt`: virtual machines, observed in bulk, made, changed, replaced and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.engine.applying import one_by_one
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.events import Events
from lbkit.engine.resource import Actual, Desired, Key, State
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.engine.view import Check, Finding
from lbkit.hypervisor.accelerator import probe
from lbkit.hypervisor.connection import connect
from lbkit.image.store import Store
from lbkit.machine.contract import Machine, Process
from lbkit.machine.guest.pack import program_digest
from lbkit.machine.guest.remote import RemoteMachine
from lbkit.machine.libvirt import fleet, plan, power, removing, spares, view
from lbkit.machine.libvirt.absent import AbsentMachine
from lbkit.machine.libvirt.carrying import carry_out
from lbkit.machine.libvirt.concern import hosts_of
from lbkit.machine.libvirt.fleet import Generation, declared, vm_of
from lbkit.machine.libvirt.tidings import told_by
from lbkit.machine.presence import PRESENCE, meanwhile, presence_key
from lbkit.machine.resolved import Machines, ResolvedMachine
from lbkit.machine.spare import SPARE
from lbkit.machine.trust import looking, removed

NAME = "libvirt"
WORKERS = 4  # machines at a time: each boot is a core of its own


class LibvirtDriver:
    """See `lbkit.machine.driver.Driver`."""

    hands_over = True

    def machine(self, scope: Scope, host: Host, member: str) -> Machine:
        return _machine(scope, host, member)

    def stands(self, scope: Scope, host: Host, member: str) -> bool:
        return member in fleet.last(scope, host).generations

    def leaving(self, scope: Scope, host: Host) -> Iterable[Machine]:
        found = fleet.last(scope, host)
        return [
            RemoteMachine(scope.name, member, each.line(host))
            for member in found.generations
            for each in found.older(member)
            if each.runs
        ]

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        store = Store(host)
        groups = scope.of("machine", Machines).groups
        yield from spares.desired(scope, lambda machine: store.find(vm_of(machine).image).identity)
        for machine in declared(scope).values():
            key = Key("machine", machine.name)
            vm = vm_of(machine)
            image = store.find(vm.image)
            if vm.disk is not None and vm.disk < image.virtual_size:
                raise Mistake(
                    f"the disk of machines.{machine.group} was to hold its image {image.identity}",
                    found=f"{vm.disk >> 20} MiB, and the image has {image.virtual_size >> 20}",
                    where=f"machines.{machine.group}.vm.disk",
                    remedy=f"give it {image.virtual_size >> 20}MiB or more, or leave `disk` out",
                )
            yield Desired(
                key,
                plan.wanted(machine, vm, machine.host, image.identity, vm.accelerator, program_digest()),
                requires=frozenset(Key("network", each.network) for each in machine.interfaces),
                claims=_claims(machine),
            )
            yield Desired(
                presence_key(machine.name),
                {
                    "driver": NAME,
                    "links": {each.network: "up" for each in machine.interfaces},
                    "older": [],
                    "members": len(groups[machine.group]),
                },
                requires=frozenset({key}),
                within=key,
                last=True,
                turn=f"machines.{machine.group}",
            )

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        found = fleet.look(scope, host)
        yield from spares.actual(scope, found, spares.desired(scope, lambda _machine: ""))
        wanted = {
            machine.name: plan.wanted(machine, vm_of(machine), machine.host, "", "")
            for machine in declared(scope).values()
        }
        for member, generations in found.generations.items():
            yield from _actual(scope, member, generations, wanted.get(member, {}))
        for member, domain in found.foreign.items():
            if member in wanted and member not in found.generations:
                yield Actual(
                    Key("machine", member),
                    {"driver": NAME, "domain": domain.name},
                    None,
                    called=f"domain {domain.name}",
                )

    def unseen(self, scope: Scope, host: Host) -> Mapping[Key, str]:
        alone = fleet.left_alone(scope, host)
        unseen = fleet.last(scope, host).unseen
        spare = {
            want.key: f"host {at} cannot be reached ({unseen[at].found})"
            for want in (spares.desired(scope, lambda _machine: "") if unseen else ())
            if (at := str(want.state["host"])) in unseen
        }
        return {Key("machine", name): why for name, why in alone.items()} | spare

    def summary(self, want: Desired) -> str:
        if want.key.kind == PRESENCE:
            return ", ".join(want.state["links"])
        if want.key.kind == SPARE:
            how = "saved" if want.state["kept"] == "disk" else "paused"
            return f"{want.state['image']}, {want.state['memory']} MiB, {how} after its first boot"
        interfaces = want.state["interfaces"].values()
        addresses = ", ".join(address for each in interfaces for address in each["addresses"])
        return f"{want.state['image']}, {want.state['memory']} MiB, {addresses}"

    def judge(self, want: Desired, have: Actual) -> Verdict | None:
        if want.key.kind == PRESENCE:
            return _judge_presence(want.state, have.state)
        if want.key.kind == SPARE:
            return spares.judge(want.state, have.state)
        return plan.judge(want.state, have.state)

    def place(self, state: State) -> Mapping[str, str] | None:
        if "domain" not in state or not state.get("running", False):
            return None
        return {"domain": str(state["domain"]), "host": str(state["host"])}

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        """Machines that are emulated, though KVM was not declined."""
        slow: dict[str, list[str]] = {}
        alone = fleet.left_alone(scope, host)
        for machine in declared(scope).values():
            if vm_of(machine).accelerator == "auto" and machine.name not in alone:
                found = probe(connect(fleet.host_of(scope, machine.host)), "auto", host)
                if found.kind == "tcg":
                    slow.setdefault(found.why, []).append(machine.name)
        for why, members in slow.items():
            yield f"{', '.join(members)}: without KVM, emulated (tcg): {why}"

    def events(self, scope: Scope, host: Host) -> Mapping[str, AbstractContextManager[Events]]:
        return {f"libvirt of {at.name}": told_by(at, scope.name) for at in hosts_of(scope, host)}

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        if not fleet.last(scope, host).unseen:  # what is there may be of domains that are not seen
            removing.tidy(scope, host, fleet.reachable(scope, host))
        one_by_one(changes, partial(carry_out, scope=scope, host=host, done=done), done, workers=WORKERS)
        if any(change.want is None for change in changes):
            for at in fleet.reachable(scope, host):
                removing.retire(host, at)

    def processes(self, scope: Scope, host: Host) -> Mapping[str, Mapping[str, Process]]:
        def ask(member: str) -> Mapping[str, Process]:
            with looking(scope, host, member):
                return _machine(scope, host, member).processes()

        found = fleet.last(scope, host)
        answering = [member for member in found.generations if _answers(found.newest(member))]
        with ThreadPoolExecutor(max(1, min(fleet.WORKERS, len(answering)))) as pool:
            asked = pool.map(ask, answering)
            return {member: services for member, services in zip(answering, asked, strict=True) if services}

    def distrust(self, scope: Scope, host: Host, member: str, why: str) -> bool:
        newest = fleet.last(scope, host).newest(member)
        if newest is not None:
            fleet.distrust(scope, host, newest, why)
        return newest is not None

    def stop(self, scope: Scope, host: Host, programs: Sequence[tuple[str, str]]) -> None:
        """What a guest would not stop goes with its machine."""

        def stop(each: tuple[str, str]) -> None:
            member, name = each
            removed(scope, host, member, lambda: _machine(scope, host, member).stop(name), "")

        with ThreadPoolExecutor(max(1, min(fleet.WORKERS, len(programs)))) as pool:
            list(pool.map(stop, programs))

    def runs(self, state: State) -> bool:
        return plan.runs(state)

    def judge_replaced(self, want: Desired, have: Actual, cost: tuple[Impact, str]) -> Verdict:
        return plan.judge_replaced(want.state, have.state)

    def power_off(
        self, scope: Scope, host: Host, member: str, left: float | None, tell: Callable[[str], None]
    ) -> str:
        return power.off(scope, host, member, left, tell)

    def explain(self, scope: Scope, host: Host, member: str) -> Iterable[Finding]:
        found = fleet.look(scope, host)
        return view.findings(declared(scope)[member], found.generations.get(member, ()))

    def doctor(self, host: Host) -> Iterable[Check]:
        """What they stand on is the hypervisor room's."""
        return ()


def _machine(scope: Scope, host: Host, member: str) -> RemoteMachine:
    newest = fleet.last(scope, host).newest(member)
    if newest is None:
        return AbsentMachine(scope.name, member, f"machine {member} does not stand")
    if newest.hello is None:
        why = newest.silence or f"{newest.domain.name} is {newest.domain.state}"
        return AbsentMachine(scope.name, member, why)
    return RemoteMachine(scope.name, member, newest.line(host))


def _answers(generation: Generation | None) -> bool:
    return generation is not None and generation.hello is not None


def _claims(machine: ResolvedMachine) -> frozenset[str]:
    return frozenset(
        f"address {each.network} {address.ip}" for each in machine.interfaces for address in each.addresses
    )


def _actual(scope: Scope, member: str, generations: Sequence[Generation], want: State) -> Iterable[Actual]:
    newest = generations[-1]
    key = Key("machine", member)
    state = plan.seen(
        newest.domain,
        want,
        newest.host.name,
        answers=newest.hello is not None and bool(newest.hello.identity) if newest.runs else None,
        boots=newest.boots,
        program=newest.hello.program if newest.hello is not None else "",
        inside=newest.inside,
    )
    yield Actual(
        key,
        {**state, "domain": newest.domain.name},
        scope.name,
        requires=frozenset(Key("network", name) for name in state["interfaces"]),
        claims=frozenset(
            f"address {name} {address.partition('/')[0]}"
            for name, interface in state["interfaces"].items()
            for address in interface["addresses"]
        ),
    )
    macs = {interface["mac"]: name for name, interface in state["interfaces"].items()}
    yield Actual(
        presence_key(member),
        {
            "driver": NAME,
            "links": {
                macs[each.mac]: "up" if each.link_up else "down"
                for each in newest.domain.interfaces
                if each.mac in macs
            },
            "older": [each.domain.name for each in generations[:-1]],
        },
        scope.name,
        requires=frozenset({key}),
        within=key,
    )


def _judge_presence(want: State, have: State) -> Verdict | None:
    down = [name for name, link in have["links"].items() if link != want["links"].get(name, link)]
    impact = Impact.NONE
    words = [f"its link on {', '.join(down)} is down"] if down else []
    steps = [f"its link on {', '.join(down)} up, and announced"] if down else []
    if have["older"]:
        names = ", ".join(have["older"])
        words.append(f"beside it stands what was before it: {names}")
        steps = [f"{names} drained, its links down", *steps, "look at the new one", f"{names} removed"]
        impact, said = meanwhile(want["members"])
        words.append(said)
    if not words:
        return None
    return Verdict(Action.UPDATE, impact, "; ".join(words), tuple(steps))


DRIVER = LibvirtDriver()
