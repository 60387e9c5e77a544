"""What shall stand of load balancers, and what a difference means. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.base.host import Host
from lbkit.base.mark import mark
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Scope
from lbkit.haproxy.config.make import USER, config_of
from lbkit.haproxy.instance import KIND, key_of
from lbkit.haproxy.observe import claims, state_of
from lbkit.haproxy.resolved import LoadBalancers, ResolvedLoadBalancer
from lbkit.haproxy.text.render import digest_in, render
from lbkit.haproxy.transition import Running, Step, transition
from lbkit.haproxy.vip import plan as vip_plan

_IMPACTS = {
    Step.WRITE: (Action.UPDATE, Impact.NONE),
    Step.RELOAD: (Action.UPDATE, Impact.RELOAD),
    Step.START: (Action.RESTART, Impact.DISRUPTIVE),
    Step.RESTART: (Action.RESTART, Impact.DISRUPTIVE),
}


def desired(scope: Scope, host: Host) -> Iterator[Desired]:
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for member in balancer.members:
            text = config_text(balancer, member, scope.name, host)
            yield Desired(
                key_of(KIND, member, balancer.name),
                state_of(Running(text, alive=True, answers=True, loaded=digest_in(text))),
                requires=balancer.requires | {Key("machine", member)},
                claims=claims(member, text),
            )
        if balancer.vip is not None:
            yield from vip_plan.desired(balancer.name, balancer.vip, scope.name)


def config_text(balancer: ResolvedLoadBalancer, member: str, topology: str, host: Host) -> str:
    """The whole text of haproxy.cfg on `member`."""
    owner = mark(topology, KIND, member, balancer.name)
    return render(config_of(balancer, mark=owner, user=USER if host.can_switch_user else None))


def summary(want: Desired) -> str:
    """Of HAProxy what it binds and how many servers it has, of a virtual address the address."""
    text = str(want.state["config"])
    if want.key.kind == vip_plan.KIND:
        return ", ".join(sorted(claim.split()[-1] for claim in want.claims))
    lines = [line.split() for line in text.splitlines()]
    binds = sorted({words[1] for words in lines if words[:1] == ["bind"]})
    servers = sum(words[:1] == ["server"] for words in lines)
    return f"{', '.join(binds)} to {servers} server{'' if servers == 1 else 's'}"


def judge_update(want: Desired, have: Actual) -> Verdict | None:
    if want.key.kind == vip_plan.KIND:
        return vip_plan.judge_update(want, have)
    way = transition(running_of(have), str(want.state["config"]))
    if way.step is Step.NOTHING:
        return None
    return Verdict(*_IMPACTS[way.step], way.reason)


def judge_delete(have: Actual) -> Verdict:
    if have.key.kind == vip_plan.KIND:
        return Verdict(
            Action.DELETE, Impact.HITLESS, "it is no longer declared; who still holds the address gives it up"
        )
    return Verdict(
        Action.DELETE, Impact.DISRUPTIVE, "it is no longer declared; its connections get 5 s to end"
    )


def running_of(have: Actual) -> Running:
    state = have.state
    return Running(state["config"], state["alive"], state["answers"], state["loaded"])
