"""Keep traffic from servers for a while, in every HAProxy that runs: drained, then in maintenance; and back afterwards.

Maintenance, as cookies and tables still lead their clients to a server that is drained. What is set aside is known to
this process alone (resting.py), so no change that it carries out beside undoes it. Of a process that was
killed nobody knows, and the next plan finds something that was set by hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.room import Told
from lbkit.engine.scope import Scope
from lbkit.haproxy.execution import Execution
from lbkit.haproxy.instance import KIND, Instance, machines_of
from lbkit.haproxy.live import in_use
from lbkit.haproxy.probing import Prober
from lbkit.haproxy.remember import remember
from lbkit.haproxy.resolved import LoadBalancers, ResolvedLoadBalancer
from lbkit.haproxy.resting import folder, rests, serves
from lbkit.haproxy.runtime import ServerState
from lbkit.haproxy.runtime.commands import server as to
from lbkit.haproxy.runtime.servers_state import Check
from lbkit.haproxy.transition.backend import pair
from lbkit.haproxy.transition.moving import out_of_maintenance
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running, Timing, Wanted
from lbkit.haproxy.transition.steps import Do, Step, UntilIdle, UntilUp
from lbkit.haproxy.wanted import wanted_on
from lbkit.machine.contract import Machine

_turns: dict[str, threading.Lock] = {}
"""By HAProxy's folder: who is set aside next there waits for who is, else no server might be left."""

_lock = threading.Lock()


@contextmanager
def set_aside(scope: Scope, host: Host, addresses: Collection[IPAddress], told: Told) -> Iterator[None]:
    """As `Room.set_aside`."""
    all_places = [
        _Place(scope, host, balancer, instance, frozenset(addresses), told)
        for balancer in scope.of("haproxy", LoadBalancers).by_name.values()
        for instance in _instances(balancer, scope, host)
    ]
    places = [place for place in all_places if place.concerned()]
    with ExitStack() as stack:
        for place in sorted({folder(each.instance) for each in places}):
            with _lock:
                turn = _turns.setdefault(place, threading.Lock())
            stack.enter_context(turn)
        well = False
        try:
            _each(_Place.empty, places)
            yield
            well = True
        finally:
            _each(_Place.put_back, places)
            if well:
                _each(_Place.until_up, places)


def to_empty(
    servers: Sequence[ServerState], addresses: Collection[IPAddress]
) -> tuple[list[ServerState], list[ServerState]]:
    """Who can be set aside; and who serves, and cannot, for no other of its backend does."""
    there = [each for each in servers if _is_at(each, addresses)]
    backends = {each.backend for each in servers if each not in there and in_use(each)}
    ready = [each for each in there if not (each.admin.maint or each.admin.drain)]
    return (
        [each for each in ready if each.backend in backends],
        [each for each in ready if each.backend not in backends and in_use(each)],
    )


@dataclass
class _Place:
    """One HAProxy. What it does not do is a note, and keeps no other from being told."""

    scope: Scope
    host: Host
    balancer: ResolvedLoadBalancer
    instance: Instance
    addresses: frozenset[IPAddress]
    told: Told
    servers: list[ServerState] = field(default_factory=list)  # as they were
    again: list[str] = field(default_factory=list)  # who is to come up again

    def concerned(self) -> bool:
        with self._noted("its servers were to be looked at"), self.instance.runtime() as runtime:
            return any(_is_at(each, self.addresses) for each in runtime.servers())
        return False

    def empty(self) -> None:
        with self._noted("servers of it were to get no request for a while"):
            with self.instance.runtime() as runtime:
                self.servers, left = to_empty(runtime.servers(), self.addresses)
            for each in left:
                self._note(f"{_name(each)} alone is up in its backend: it gets requests all the while")
            if not self.servers:
                return
            for each in self.servers:
                rests(self.instance, _name(each), agent=Check.ENABLED in each.agent)
            # its agent's `ready` would end the drain
            agents = [to.disable_agent(*each.key) for each in self.servers if Check.ENABLED in each.agent]
            drain = [to.set_state(*each.key, "drain") for each in self.servers]
            rest = [to.set_state(*each.key, "maint") for each in self.servers]
            idle = [UntilIdle(names, timing.drain) for names, timing in self._timed(map(_name, self.servers))]
            self._carry_out([Do((*agents, *drain)), *idle, Do(tuple(rest))])
            remember(self.instance, [_name(each) for each in self.servers], self.balancer.late)

    def put_back(self) -> None:
        """Where its checks pass, and not before. Who was put back or removed by somebody meanwhile is left so."""
        try:
            with self._noted(f"{len(self.servers)} of its servers were to be put back"):
                self._put_back()
        finally:
            for each in self.servers:
                serves(self.instance, _name(each))

    def until_up(self) -> None:
        with self._noted("its servers were to come up again"):
            self._carry_out([UntilUp(names, timing.up) for names, timing in self._timed(self.again)])

    def _put_back(self) -> None:
        if not self.servers:
            return
        with self.instance.runtime() as runtime:
            now = {state.key: state for state in runtime.servers()}
        commands = []
        for before in self.servers:
            state = now.get(before.key)
            if state is None or not (state.admin.maint or state.admin.drain):
                continue
            checked = Check.ENABLED in before.check
            if Check.ENABLED in before.agent:
                commands.append(to.enable_agent(*before.key))
            commands += out_of_maintenance(
                _name(before),
                Server(before.address, before.port, checked=checked),
                by_agent=before.backend in self.balancer.late and Check.ENABLED in before.agent,
            )
            if checked:
                self.again.append(_name(before))
        if commands:
            self._carry_out([Do(tuple(commands))])
            remember(self.instance, [_name(each) for each in self.servers], self.balancer.late)

    def _carry_out(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        execution = Execution(
            self.instance,
            Running(None, alive=True),
            Wanted(""),
            Prober(self.balancer, self.instance.machine),
            lambda lines: self.told.step([f"{self.instance.machine.name}: {line}" for line in lines]),
            self.host.clock,
        )
        try:
            execution.carry_out(steps)
        finally:
            for note in execution.notes:
                self._note(note)

    def _timed(self, names: Iterable[str]) -> Iterator[tuple[tuple[str, ...], Timing]]:
        """By backend."""
        wanted = wanted_on(self.balancer, self.instance.machine.name, self.scope, self.host)
        by_backend: dict[str, list[str]] = {}
        for name in names:
            by_backend.setdefault(pair(name)[0], []).append(name)
        for backend, each in by_backend.items():
            yield tuple(each), wanted.timing_of(backend)

    def _note(self, text: str) -> None:
        self.told.note(f"{self.instance.machine.name}: {text}")

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        try:
            yield
        except LbkitError as error:
            self._note(f"{what}: {error.found or error.wanted}")


def _instances(balancer: ResolvedLoadBalancer, scope: Scope, host: Host) -> Iterator[Instance]:
    """Those that run."""
    for on in machines_of(balancer.members, scope, host):
        instance = Instance(on, balancer.name, balancer.program)
        if _runs(on, instance.service):
            yield instance


def _runs(on: Machine, service: str) -> bool:
    try:
        found = on.running().get(service)
    except LbkitError:  # nobody could tell it anything
        return False
    return found is not None and found.kind == KIND


def _each(act: Callable[[_Place], None], places: Sequence[_Place]) -> None:
    with ThreadPoolExecutor(max(1, len(places)), thread_name_prefix="lbkit-aside") as pool:
        list(pool.map(act, places))


def _is_at(state: ServerState, addresses: Collection[IPAddress]) -> bool:
    return bool(state.address) and ip_address(state.address) in addresses


def _name(state: ServerState) -> str:
    return f"{state.backend}/{state.server}"
