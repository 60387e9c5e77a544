"""The room of machines and of the services that run on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Verdict
from lbkit.engine.events import Events
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.view import Check, Finding, Picture, Status
from lbkit.machine import apply, halting, observe, plan, presence, resolve, spare, things, view
from lbkit.machine.handle import driver, drivers, every_driver, judge_machine
from lbkit.machine.presence import PRESENCE
from lbkit.machine.resolved import Machines
from lbkit.machine.spare import SPARE
from lbkit.machine.spec import Machines as Section


class MachineRoom(Room[Section]):
    name = "machine"
    section = "machines"
    kinds = frozenset({"machine", "presence", "service", "spare"})

    @property
    def model(self) -> type[Section]:
        return Section

    def reserve(self, section: Section, draft: Draft) -> None:
        resolve.reserve(section, draft)

    def resolve(self, section: Section, draft: Draft) -> Machines:
        return resolve.resolve(section, draft)

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        for each in drivers(scope, host):
            yield from each.desired(scope, host)
        yield from plan.desired_services(scope, host)

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        return observe.observe(scope, host)

    def unseen(self, scope: Scope, host: Host) -> Mapping[Key, str]:
        return {key: why for each in drivers(scope, host) for key, why in each.unseen(scope, host).items()}

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        apply.apply(changes, scope, host, done)

    def summary(self, want: Desired) -> str:
        if want.key.kind == "service":
            return plan.summary(want)
        return driver(str(want.state["driver"])).summary(want)

    def judge_create(self, want: Desired) -> Verdict | None:
        # a new machine is on its networks from the beginning
        return None if want.key.kind == PRESENCE else super().judge_create(want)

    def judge_again(self, want: Desired, replaced: Change) -> Verdict | None:
        if want.key.kind == PRESENCE and replaced.action is Action.RESTART:
            return None  # it comes back in its place
        if want.key.kind == PRESENCE:
            return presence.judge_again(want, replaced)
        if want.key.kind == SPARE:
            return spare.judge_again(replaced.key)
        return super().judge_again(want, replaced)

    def judge_anew(
        self, want: Desired, have: Actual, scope: Scope, anew: Mapping[Key, Action]
    ) -> Verdict | None:
        if want.key.kind != "machine":
            return None
        told = self.judge_update(want, have)
        if told is not None and told.action is Action.REPLACE:
            return told
        members = frozenset(key.name for key in anew)
        cost = halting.cost(scope, want.key.name, members, halting.Halt())
        return driver(str(want.state["driver"])).judge_replaced(want, have, cost)

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        if want.key.kind == "service":
            return plan.judge_service(want, have)
        return judge_machine(want, have)

    def judge_delete(self, have: Actual) -> Verdict | None:
        return None if have.key.kind == PRESENCE else super().judge_delete(have)

    def things(self, scope: Scope, keys: Collection[Key]) -> Mapping[str, frozenset[Key]]:
        return things.things(scope.of("machine", Machines), keys)

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        for each in drivers(scope, host):
            yield from each.notes(scope, host)

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        found = list(self.observe(scope, host))
        return view.status(self.desired(scope, host), found, scope.name, self.unseen(scope, host))

    def picture(self, scope: Scope) -> Picture:
        return view.picture(scope)

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
        """`lb-1` or `web-1/app`."""
        declared = scope.of("machine", Machines).by_name.get(path[0])
        if declared is None or len(path) > 2:
            return None
        if len(path) == 1:
            return view.explain_machine(scope, host, declared)
        key = Key("service", "/".join(path))
        want = next((each for each in self.desired(scope, host) if each.key == key), None)
        if want is None:
            return None
        have = next((each for each in self.observe(scope, host) if each.key == key), None)
        return view.explain_service(scope, host, declared, want, have)

    def explainable(self, scope: Scope) -> Iterable[str]:
        for machine in scope.of("machine", Machines).by_name.values():
            yield machine.name
            yield from (f"{machine.name}/{service.name}" for service in machine.services)

    def events(self, scope: Scope, host: Host) -> Mapping[str, AbstractContextManager[Events]]:
        return {
            name: told for each in drivers(scope, host) for name, told in each.events(scope, host).items()
        }

    def doctor(self, host: Host) -> Iterable[Check]:
        for each in every_driver():
            yield from each.doctor(host)


ROOM = MachineRoom()
