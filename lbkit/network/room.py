"""The room of networks. One resource is a bridge with the host's addresses on it, its MTU, and its NAT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbkit.base.host import Host
from lbkit.engine.change import Change, Verdict
from lbkit.engine.resource import Actual, Desired
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.view import Check, Finding, Picture, Status
from lbkit.network import apply, observe, plan, resolve, view
from lbkit.network.resolve import Networks
from lbkit.network.spec import Networks as Section


class NetworkRoom(Room[Section]):
    name = "network"
    section = "networks"
    kinds = frozenset({observe.KIND})

    @property
    def model(self) -> type[Section]:
        return Section

    def reserve(self, section: Section, draft: Draft) -> None:
        resolve.reserve(section, draft)

    def resolve(self, section: Section, draft: Draft) -> Networks:
        return resolve.resolve(section, draft)

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return plan.desired(scope.name, self._networks(scope))

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        networks = self._networks(scope)
        return observe.actual(scope.name, networks, observe.look(scope.name, networks))

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        networks = self._networks(scope)
        apply.apply(scope.name, networks, changes, observe.look(scope.name, networks), done)

    def summary(self, want: Desired) -> str:
        return plan.summary(want)

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        return plan.judge_update(want, have)

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        networks = self._networks(scope)
        if not any(network.nat for network in networks.by_name.values()):
            return ()
        return plan.notes(networks, observe.look(scope.name, networks))

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        networks = self._networks(scope)
        return view.status(scope.name, networks, observe.look(scope.name, networks))

    def picture(self, scope: Scope) -> Picture:
        return view.picture(self._networks(scope))

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
        networks = self._networks(scope)
        if len(path) != 1 or path[0] not in networks.by_name:
            return None
        return view.explain(scope.name, networks.by_name[path[0]], observe.look(scope.name, networks))

    def explainable(self, scope: Scope) -> Iterable[str]:
        return self._networks(scope).by_name

    def doctor(self, host: Host) -> Iterable[Check]:
        return view.checks()

    def _networks(self, scope: Scope) -> Networks:
        return scope.of(self.name, Networks)


ROOM = NetworkRoom()
