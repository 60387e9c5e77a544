"""What shall stand of load balancers, and what a difference means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import done_to
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import KIND, key_of
from lbkit.haproxy.looking import ActualHaproxy
from lbkit.haproxy.observe import claims
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.transition.planner import Way, starting, transition
from lbkit.haproxy.transition.steps import lines
from lbkit.haproxy.vip import plan as vip_plan
from lbkit.haproxy.wanted import DesiredHaproxy, state_of, wanted_on

_IMPACTS = {
    Way.WRITE: (Action.UPDATE, Impact.NONE),
    Way.RUNTIME: (Action.UPDATE, Impact.HITLESS),
    Way.RELOAD: (Action.UPDATE, Impact.RELOAD),
    Way.START: (Action.RESTART, Impact.DISRUPTIVE),
    Way.RESTART: (Action.RESTART, Impact.DISRUPTIVE),
}


def desired(scope: Scope, host: Host) -> Iterator[Desired]:
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for member in balancer.members:
            wanted = wanted_on(balancer, member, scope, host)
            yield DesiredHaproxy(
                key_of(KIND, member, balancer.name),
                state_of(wanted),
                requires=balancer.requires | {Key("machine", member)},
                claims=claims(member, wanted.text),
                within=Key("machine", member),
                wanted=wanted,
                moves=balancer.vip is not None,
            )
        if balancer.vip is not None:
            yield from vip_plan.desired(balancer.name, balancer.vip, scope.name)


def summary(want: Desired) -> str:
    """Of HAProxy what it binds and how many servers it has, of a virtual address the address."""
    text = str(want.state["config"])
    if want.key.kind == vip_plan.KIND:
        return ", ".join(sorted(claim.split()[-1] for claim in want.claims))
    lines = [line.split() for line in text.splitlines()]
    binds = sorted({words[1] for words in lines if words[:1] == ["bind"]})
    servers = sum(words[:1] == ["server"] for words in lines)
    return f"{', '.join(binds)} to {servers} server{'' if servers == 1 else 's'}"


def judge_create(want: Desired) -> Verdict:
    words = summary(want)
    steps = lines(starting(want.wanted)) if isinstance(want, DesiredHaproxy) else ()
    return Verdict(Action.CREATE, Impact.NONE, f"new: {words}" if words else "new", steps)


def judge_again(want: Desired, replaced: Change) -> Verdict:
    """On a machine that is made anew, and that hands over to it: what that costs clients who are there just then."""
    new = judge_create(want)
    verdict = replace(
        new, reason=f"{replaced.key} is {done_to(replaced)}; {new.reason.removeprefix('new: ')}"
    )
    if replaced.impact is Impact.NONE:
        return verdict
    if want.key.kind == vip_plan.KIND:
        cost = "where it has the address, another one takes it then, and connections open to it end"
    elif isinstance(want, DesiredHaproxy) and not want.moves:
        cost = "its clients come to its own addresses, and find nobody until it has taken over"
    else:
        return verdict
    return replace(verdict, impact=Impact.DISRUPTIVE, reason=f"{verdict.reason}; {cost}")


def judge_update(want: Desired, have: Actual) -> Verdict | None:
    if not isinstance(want, DesiredHaproxy) or not isinstance(have, ActualHaproxy):
        return vip_plan.judge_update(want, have)
    way = transition(have.running, want.wanted)
    if way.way is Way.NOTHING:
        return None
    return Verdict(*_IMPACTS[way.way], way.reason, way.lines)


def judge_delete(have: Actual) -> Verdict:
    if have.key.kind == vip_plan.KIND:
        return Verdict(
            Action.DELETE, Impact.HITLESS, "it is no longer declared; who still holds the address gives it up"
        )
    return Verdict(
        Action.DELETE, Impact.DISRUPTIVE, "it is no longer declared; its connections get 5 s to end"
    )
