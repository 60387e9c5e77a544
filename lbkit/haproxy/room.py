"""The room of load balancers: the section `load_balancers`, kinds "haproxy" and "vip"."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.change import Change, Verdict
from lbkit.engine.promise import Promise
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Done, Room, Told
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.traffic import Traffic
from lbkit.engine.view import Check, Finding, Picture, Status
from lbkit.haproxy import apply, observe, plan, things
from lbkit.haproxy.resolve import balancers
from lbkit.haproxy.spec.balancer import LoadBalancers


class HaproxyRoom(Room[LoadBalancers]):
    name = "haproxy"
    section = "load_balancers"
    kinds = frozenset({"haproxy", "vip"})
    nouns = frozenset({"load_balancer"})

    @property
    def model(self) -> type[LoadBalancers]:
        return LoadBalancers

    def reserve(self, section: LoadBalancers, draft: Draft) -> None:
        balancers.reserve(section, draft)

    def resolve(self, section: LoadBalancers, draft: Draft) -> object:
        return balancers.resolve(section, draft)

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return plan.desired(scope, host)

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        return observe.observe(scope, host)

    def judge_create(self, want: Desired) -> Verdict:
        return plan.judge_create(want)

    def judge_again(self, want: Desired, replaced: Change) -> Verdict:
        return plan.judge_again(want, replaced)

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        return plan.judge_update(want, have)

    def summary(self, want: Desired) -> str:
        return plan.summary(want)

    def judge_delete(self, have: Actual) -> Verdict:
        return plan.judge_delete(have)

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        apply.apply(changes, scope, host, done)

    def things(self, scope: Scope, keys: Collection[Key]) -> Mapping[str, frozenset[Key]]:
        return things.things(keys)

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        from lbkit.haproxy import expiry  # noqa: PLC0415 - and so nothing of certificates is slow to import
        from lbkit.haproxy.seen import by_hand  # noqa: PLC0415

        yield from expiry.notes(scope, host.clock.now())
        yield from by_hand(scope, host)

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        from lbkit.haproxy.view import status  # noqa: PLC0415 - a plan needs no view

        return status(scope, host)

    def sample(self, scope: Scope, host: Host) -> Traffic:
        from lbkit.haproxy.sampling import sample  # noqa: PLC0415

        return sample(scope, host)

    def picture(self, scope: Scope) -> Picture:
        from lbkit.haproxy.picture import picture  # noqa: PLC0415

        return picture(scope)

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
        from lbkit.haproxy.explain import explain  # noqa: PLC0415

        return explain(scope, host, path)

    def explainable(self, scope: Scope) -> Iterable[str]:
        from lbkit.haproxy.explain import explainable  # noqa: PLC0415

        return explainable(scope)

    def holdable(self, scope: Scope) -> Iterable[str]:
        from lbkit.haproxy.holding import holdable  # noqa: PLC0415

        return holdable(scope)

    def enact_hold(self, scope: Scope, host: Host, path: str) -> Sequence[Finding]:
        from lbkit.haproxy.holding import enact_hold  # noqa: PLC0415

        return enact_hold(scope, host, path)

    def set_aside(
        self, scope: Scope, host: Host, addresses: Collection[IPAddress], told: Told
    ) -> AbstractContextManager[None]:
        from lbkit.haproxy.aside import set_aside  # noqa: PLC0415

        return set_aside(scope, host, addresses, told)

    def promises(self, scope: Scope, host: Host) -> Iterable[Promise]:
        from lbkit.haproxy.promises import promises  # noqa: PLC0415

        return promises(scope)

    def doctor(self, host: Host) -> Iterable[Check]:
        from lbkit.haproxy.doctor import doctor  # noqa: PLC0415

        return doctor(host)


ROOM = HaproxyRoom()
