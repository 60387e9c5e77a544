"""The decision, pure: which rrsets shall stand, what a transferred zone has of them, what a difference means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lbkit.dns.ownership import held, holding, in_the_way
from lbkit.dns.resolved import ResolvedZone
from lbkit.dns.zonedata import ZoneData
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired


def desired(zones: Iterable[ResolvedZone]) -> Iterator[Desired]:
    for zone in zones:
        servers = zone.server_keys
        for rrset in zone.rrsets.values():
            state = {"ttl": rrset.ttl, "values": list(rrset.values)}
            key = zone.key_of(rrset.name, rrset.kind)
            yield Desired(key, state, requires=servers | rrset.requires)


def actual(zone: ResolvedZone, data: ZoneData, topology: str) -> Iterator[Actual]:
    """What `data` has of what the topology owns or wants.

    The state: `ttl`, `values` (its own), and where there are such: `others` (values of others in the same
    rrset), `lost` (how many of its values are gone though marked), `in_the_way`.
    """
    ours = held(data, topology)
    going = _Unwanted(zone)
    servers = zone.server_keys
    for name, kind in sorted(ours | set(zone.rrsets)):
        have = holding(data, topology, name, kind)
        want = zone.rrsets.get((name, kind))
        obstacles: list[str] = []
        if want is not None:
            taken, beside = in_the_way(data, topology, have, want.values, going)
            obstacles = [*taken, *beside]
        if have.rrset is None and not have.stale and not obstacles:
            continue
        state: dict[str, Any] = {"ttl": have.rrset.ttl if have.rrset else None, "values": sorted(have.ours)}
        state |= {"others": sorted(have.others)} if have.others else {}
        state |= {"lost": len(have.stale)} if have.stale else {}
        state |= {"in_the_way": obstacles} if obstacles else {}
        if (name, kind) in ours:
            owner: str | None = topology
        else:
            owner = next(
                (owner for value, owner in have.others.items() if value in obstacles and owner), None
            )
        free = False if obstacles else None if owner == topology else True
        behind = want.requires if want else frozenset()
        yield Actual(
            zone.key_of(name, kind), state, owner, requires=servers, free=free, any_of=behind - servers
        )


class _Unwanted:
    """The rrsets that the document does not want: where they are ours, they go in this plan."""

    def __init__(self, zone: ResolvedZone) -> None:
        self._zone = zone

    def __contains__(self, place: object) -> bool:
        return place not in self._zone.rrsets


def summary(want: Desired) -> str:
    return _some(want.state["values"])


def judge_update(want: Desired, have: Actual) -> Verdict | None:
    """A TTL is judged only where every value is ours: it belongs to the whole rrset (RFC 2181 section 5.2)."""
    wanted, found = set(want.state["values"]), set(have.state["values"])
    obstacles = set(have.state.get("in_the_way", ()))
    others = set(have.state.get("others", ()))
    staying = len(others - obstacles)
    reasons = []
    impact = Impact.NONE
    if wanted & obstacles:
        reasons.append(f"takes over {_some(wanted & obstacles)}")
    if wanted - found - obstacles:
        reasons.append(f"adds {_some(wanted - found - obstacles)}")
    if leaving := (found - wanted) | (others & obstacles) - wanted:
        reasons.append(f"removes {_some(leaving)}, which resolvers may keep for {have.state['ttl']} s")
        impact = Impact.HITLESS
    if not others and found and want.state["ttl"] != have.state["ttl"]:
        reasons.append(f"TTL {want.state['ttl']} instead of {have.state['ttl']}")
    if have.state.get("lost"):
        reasons.append(f"{have.state['lost']} of its values were removed by somebody else")
    if not reasons:
        return None
    if staying:
        reasons.append(
            f"values of others beside it ({staying}) stay as they are, with TTL {have.state['ttl']}"
        )
    return Verdict(Action.UPDATE, impact, "; ".join(reasons))


def judge_delete(have: Actual) -> Verdict:
    if not have.state["values"]:
        return Verdict(Action.DELETE, Impact.NONE, "it is no longer declared; only its owner marks are left")
    removed = f"removes {_some(have.state['values'])}"
    others = " beside values of others, which stay" if have.state.get("others") else ""
    return Verdict(Action.DELETE, Impact.DISRUPTIVE, f"it is no longer declared; {removed}{others}")


def _some(values: Iterable[str]) -> str:
    found = [value if len(value) <= 60 else value[:57] + "..." for value in sorted(values)]
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
