"""The driver `netns`: machines observed, made and removed in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

from lbkit.base.host import Host
from lbkit.base.mark import read_mark
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.events import Events
from lbkit.engine.resource import Actual, Desired, Key, State
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.engine.view import Check, Finding
from lbkit.machine.contract import Machine, Process
from lbkit.machine.local.place import machine_folder, machines_folder
from lbkit.machine.local.record import names_in, processes
from lbkit.machine.local.removal import stop_programs
from lbkit.machine.netns import plan, removal, view
from lbkit.machine.netns.machine import NetnsMachine
from lbkit.machine.netns.network import namespace_name, network_identity
from lbkit.machine.resolved import Machines, ResolvedMachine
from lbkit.network import links


class NetnsDriver:
    """See `lbkit.machine.driver.Driver`."""

    hands_over = False

    def machine(self, scope: Scope, host: Host, member: str) -> Machine:
        return NetnsMachine(scope.name, host, member)

    def stands(self, scope: Scope, host: Host, member: str) -> bool:
        return (
            network_identity(host, scope.name, member) is not None
            or machine_folder(host, scope.name, member).is_dir()
        )

    def leaving(self, scope: Scope, host: Host) -> Iterable[Machine]:
        return ()

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        for machine in _declared(scope).values():
            yield Desired(
                Key("machine", machine.name),
                plan.state_wanted(plan.wanted(scope.name, machine)),
                requires=frozenset(Key("network", each.network) for each in machine.interfaces),
                claims=frozenset(
                    f"address {each.network} {address.ip}"
                    for each in machine.interfaces
                    for address in each.addresses
                ),
            )

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        seen = links.observe(host, scope.name, plan.sysctls())
        declared = _declared(scope)
        of_folder = set(names_in(machines_folder(host, scope.name)))
        for name, namespace in seen.items():
            member = name.removeprefix(f"{scope.name}.")
            found = read_mark(namespace.mark)
            owner = found.topology if found and found.path == f"machine/{member}" else None
            if owner != scope.name and member not in declared:
                continue
            of_folder.discard(member)
            state = plan.state_seen(scope.name, namespace)
            yield Actual(
                Key("machine", member),
                state,
                owner,
                requires=plan.networks_of(scope.name, namespace),
                claims=frozenset(
                    f"address {network} {address.partition('/')[0]}"
                    for network, interface in state["interfaces"].items()
                    for address in interface["addresses"]
                ),
            )
        for member in of_folder:
            yield Actual(Key("machine", member), plan.state_gone(), scope.name)

    def unseen(self, scope: Scope, host: Host) -> Mapping[Key, str]:
        return {}

    def summary(self, want: Desired) -> str:
        return plan.addresses_of(want.state)

    def judge(self, want: Desired, have: Actual) -> Verdict | None:
        return plan.judge(want, have)

    def place(self, state: State) -> Mapping[str, str] | None:
        return None if state["namespace"] is None else {"namespace": state["namespace"]}

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        return ()

    def events(self, scope: Scope, host: Host) -> Mapping[str, AbstractContextManager[Events]]:
        """The kernel could tell of namespaces and processes; nobody listens."""
        return {}

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        declared = _declared(scope)
        going = {_namespace(scope, change): change for change in changes if change.want is None}
        anew = {
            _namespace(scope, change): change.key.name
            for change in changes
            if change.action is Action.REPLACE and _is_ours(change)
        }
        if anew:
            removal.remove(host, scope.name, anew)
        coming = {_namespace(scope, change): change for change in changes if change.want is not None}
        if going:
            members = {name: change.key.name for name, change in going.items()}
            for name, words in removal.remove(host, scope.name, members).items():
                done(going[name], words)
        if coming:
            links.converge(
                host,
                [plan.wanted(scope.name, declared[change.key.name]) for change in coming.values()],
                lambda name, words: done(coming[name], words),
                adopt=[name for name, change in coming.items() if change.action is Action.ADOPT],
            )

    def processes(self, scope: Scope, host: Host) -> Mapping[str, Mapping[str, Process]]:
        members = names_in(machines_folder(host, scope.name))
        networks = {member: network_identity(host, scope.name, member) for member in members}
        return processes(host, scope.name, networks)

    def distrust(self, scope: Scope, host: Host, member: str, why: str) -> bool:
        return False

    def stop(self, scope: Scope, host: Host, programs: Sequence[tuple[str, str]]) -> None:
        stop_programs(host, scope.name, programs, partial(network_identity, host, scope.name))

    def runs(self, state: State) -> bool:
        return state["namespace"] is not None

    def judge_replaced(self, want: Desired, have: Actual, cost: tuple[Impact, str]) -> Verdict:
        return plan.judge_replaced(have, cost)

    def power_off(
        self, scope: Scope, host: Host, member: str, left: float | None, tell: Callable[[str], None]
    ) -> str:
        tell(f"namespace {namespace_name(scope.name, member)} and its links go, and all that runs in it")
        return removal.power_off(host, scope.name, member, left)

    def explain(self, scope: Scope, host: Host, member: str) -> Iterable[Finding]:
        namespace = links.observe(host, scope.name).get(namespace_name(scope.name, member))
        return view.findings(scope.name, _declared(scope)[member], namespace)

    def doctor(self, host: Host) -> Iterable[Check]:
        return view.checks(host)


def _declared(scope: Scope) -> dict[str, ResolvedMachine]:
    machines = scope.of("machine", Machines).by_name.values()
    return {machine.name: machine for machine in machines if machine.driver == "netns"}


def _is_ours(change: Change) -> bool:
    """It is replaced by one of the same driver: of another one's, that one has removed what stood."""
    return change.before is not None and change.before["driver"] == "netns"


def _namespace(scope: Scope, change: Change) -> str:
    return namespace_name(scope.name, change.key.name)


DRIVER = NetnsDriver()
