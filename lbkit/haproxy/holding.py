"""Drain one server by hand, or end that, in every HAProxy that runs now. Nothing else of them is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.engine.applying import together
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.remember import remember
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.runtime import Row, Runtime, ServerState
from lbkit.haproxy.runtime.commands.server import disable_agent, enable_agent, set_state
from lbkit.haproxy.runtime.servers_state import Admin, Check
from lbkit.haproxy.waiting import wait_for
from lbkit.machine.handle import machine

CHECKED_WITHIN = 10.0  # seconds that a first check gets to end
HEARD_WITHIN = 5.0  # seconds that an agent gets to say `ready`
_NEVER_CHECKED = 1  # HCHK_STATUS_UNKNOWN and HCHK_STATUS_INI, include/haproxy/check-t.h


def holdable(scope: Scope) -> Iterator[str]:
    """Servers, as LOAD_BALANCER/BACKEND/SERVER."""
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for backend, server in balancer.servers:
            if backend.stands_in_for is None:
                yield f"{balancer.name}/{backend.name}/{server.name}"


def enact_hold(scope: Scope, host: Host, path: str) -> list[Finding]:
    """One finding for each member, and one for who stands in there. One that fails keeps no other from being asked."""
    name, backend, server = path.split("/")
    balancer = scope.of("haproxy", LoadBalancers).by_name[name]
    state = next(each.state for of, each in balancer.servers if (of.name, each.name) == (backend, server))
    done: list[Finding] = []
    errors: list[LbkitError] = []
    for member, here in product(balancer.members, balancer.everywhere(backend)):
        place = _Place(Instance(machine(scope, host, member), name), here, server, host, balancer.late)
        try:
            done.append(place.drain() if path in scope.holds else place.put_back(state))
        except LbkitError as error:
            errors.append(error)
    if errors:
        raise together(errors)
    return done


@dataclass(frozen=True, slots=True)
class _Place:
    """One server in one HAProxy. `late`: backends whose servers begin without traffic."""

    instance: Instance
    backend: str
    server: str
    host: Host
    late: frozenset[str]

    def drain(self) -> Finding:
        if not self._runs:
            return self._told(None, "HAProxy does not run", "the apply that starts it respects the hold")
        with self.instance.runtime() as runtime:
            before = self._look(runtime)
            if before is None:
                found = f"its HAProxy does not have {self.server} yet"
                return self._told(None, found, "the apply that adds it respects the hold")
            if before.admin.maint:  # to drain it would be to check on it again, and to let kept clients in
                return self._told(None, f"{self.server} is in maintenance, and gets nothing: left so")
            if Check.ENABLED in before.agent:  # else it would be asked, and its `ready` would end the hold
                runtime.do(disable_agent(self.backend, self.server))
            command = self._set(runtime, "drain")
            row = self._row(runtime)
        sessions = row.sessions if row else 0
        left = f"; {sessions} session{'s go' if sessions > 1 else ' goes'} on" if sessions else ""
        return self._told(True, f"{self.server} is drained{left}", command)

    def put_back(self, declared: str) -> Finding:
        """In use again, unless something else than the hold keeps it out; that only an apply can judge."""
        if not self._runs:
            return self._told(None, "HAProxy does not run")
        with self.instance.runtime() as runtime:
            before = self._look(runtime)
            if before is None:
                return self._told(None, f"its HAProxy does not have {self.server} yet")
            if declared != "ready":
                return self._told(None, f"{self.server} stays out of use: its declared state is {declared}")
            if Admin.FORCED_DRAIN not in before.admin:
                found = "in maintenance: left to the next apply" if before.admin.maint else "in use already"
                return self._told(None, f"{self.server} is {found}")
            # a server that was never checked is up as far as HAProxy knows
            if wait_for(self.host.clock, CHECKED_WITHIN, lambda: self._checked(runtime)) is None:
                found = f"{self.server} stays drained: no check of it has ended yet"
                return self._told(False, found, "the next apply puts it back")
            if before.agent and Check.ENABLED not in before.agent:
                runtime.do(enable_agent(self.backend, self.server))
                if self.backend in self.late:
                    return self._by_its_agent(runtime)
            command = self._set(runtime, "ready")
            row = self._row(runtime)
        return self._told(
            row is None or row.up, f"{self.server} is {row.status if row else 'ready'}", command
        )

    def _by_its_agent(self, runtime: Runtime) -> Finding:
        """Nobody says `ready` in its place."""

        def ended() -> bool | None:
            now = self._look(runtime)
            return None if now is not None and Admin.FORCED_DRAIN in now.admin else True

        ready = wait_for(self.host.clock, HEARD_WITHIN, ended, every=0.05) is not None
        remember(self.instance, [f"{self.backend}/{self.server}"], self.late)
        row = self._row(runtime)
        said = row.agent_words if row else ""
        if ready:
            return self._told(
                row is None or row.up, f"{self.server} is {row.status if row else 'ready'}", said
            )
        return self._told(None, f"{self.server} is no longer held, and its agent has it drained", said)

    @property
    def _runs(self) -> bool:
        return self.instance.service in self.instance.machine.running()

    def _told(self, good: bool | None, what: str, evidence: str = "") -> Finding:  # noqa: FBT001
        return Finding(good, f"{self.instance.machine.name}: {what}", evidence)

    def _set(self, runtime: Runtime, state: Literal["drain", "ready"]) -> str:
        """The command that was done, read back."""
        command = set_state(self.backend, self.server, state)
        runtime.do(command)
        after = self._look(runtime)
        if after is None or (Admin.FORCED_DRAIN in after.admin) is not (state == "drain"):
            raise Failure(
                f"{self.server} of {self.backend} was to be {state}",
                found=f"after `{command}` it is {after.admin!r}" if after else "it is gone",
                where=self.instance.where,
                remedy="`lbkit apply` carries it out",
            )
        remember(self.instance, [f"{self.backend}/{self.server}"], self.late)
        return str(command)

    def _look(self, runtime: Runtime) -> ServerState | None:
        key = self.backend, self.server
        return next((each for each in runtime.servers() if each.key == key), None)

    def _row(self, runtime: Runtime) -> Row | None:
        return next(
            (row for row in runtime.stat() if (row.proxy, row.server) == (self.backend, self.server)), None
        )

    def _checked(self, runtime: Runtime) -> bool | None:
        now = self._look(runtime)
        return True if now is None or not now.check.runs or now.check_status > _NEVER_CHECKED else None
