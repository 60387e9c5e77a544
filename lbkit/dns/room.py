"""The room of zones: the section `dns`, and the rrsets that the topology holds in zones."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence

from lbkit.base.host import Host
from lbkit.dns import observe as world
from lbkit.dns import plan, resolve, view
from lbkit.dns.apply import apply
from lbkit.dns.resolved import Zones
from lbkit.dns.spec import Dns
from lbkit.engine.change import Change, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Done, Room
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.view import Check, Finding, Picture, Status


class DnsRoom(Room[Dns]):
    name = "dns"
    section = "dns"
    kinds = frozenset({"rrset"})
    nouns = frozenset({"zone"})

    @property
    def model(self) -> type[Dns]:
        return Dns

    def resolve(self, section: Dns, draft: Draft) -> Zones:
        return resolve.resolve(section, draft)

    def desired(self, scope: Scope, host: Host) -> Iterable[Desired]:
        return plan.desired(world.zones(scope))

    def observe(self, scope: Scope, host: Host) -> Iterable[Actual]:
        for zone in world.zones(scope):
            data = world.transfer(zone, scope, host)
            if data is not None:
                yield from plan.actual(zone, data, scope.name)

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        apply(changes, scope, host, done)

    def summary(self, want: Desired) -> str:
        return plan.summary(want)

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        return plan.judge_update(want, have)

    def judge_delete(self, have: Actual) -> Verdict:
        return plan.judge_delete(have)

    def things(self, scope: Scope, keys: Collection[Key]) -> Mapping[str, frozenset[Key]]:
        """`zone/example.test`, beside each rrset."""
        found = dict(super().things(scope, keys))
        for key in keys:
            if key.kind in {"rrset", "zone"}:
                name = f"zone/{key.name.partition(' ')[0]}"
                found[name] = found.get(name, frozenset()) | {key}
        return found

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        return world.notes(scope, host)

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        return view.status(scope, host)

    def picture(self, scope: Scope) -> Picture:
        return view.picture(scope)

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
        return view.explain(scope, host, path)

    def explainable(self, scope: Scope) -> Iterable[str]:
        return view.explainable(scope)

    def doctor(self, host: Host) -> Iterable[Check]:
        from importlib import metadata  # noqa: PLC0415 - 20 ms, for doctor alone

        try:
            found = metadata.version("dnspython")
        except metadata.PackageNotFoundError:
            yield Check("dnspython", False, "not installed", "pip install dnspython", needed=False)
        else:
            yield Check("dnspython", True, found, needed=False)
        named = shutil.which("named", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        remedy = "" if named else "apt install bind9 (for a topology that runs its own DNS server)"
        yield Check("named (BIND 9)", named is not None, named or "not found", remedy, needed=False)


ROOM = DnsRoom()
