"""Bring HAProxys to what is wanted. Those of one load balancer that serve go one after the other: where the first
fails, the others serve on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from lbkit.base.host import Host
from lbkit.engine.applying import in_turn, one_by_one
from lbkit.engine.change import Change
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.haproxy import process
from lbkit.haproxy.execution import Execution
from lbkit.haproxy.instance import KIND, Instance
from lbkit.haproxy.looking import ActualHaproxy, look
from lbkit.haproxy.probing import Prober
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.transition.planner import transition
from lbkit.haproxy.vip import apply as vip_apply
from lbkit.haproxy.vip.config import KIND as VIP
from lbkit.haproxy.wanted import DesiredHaproxy
from lbkit.machine.trust import removed


def apply(changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
    ours = [change for change in changes if change.key.kind == KIND]
    vips = [change for change in changes if change.key.kind == VIP]
    if ours:
        in_turn(list(_rows(ours)), partial(carry_out, scope=scope, host=host, done=done), done)
    if vips:
        one_by_one(vips, partial(vip_apply.carry_out, scope=scope, host=host, done=done), done)
        vip_apply.wait_until_held(vips, scope, host)


def _rows(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    serving: dict[str, list[Change]] = {}
    for change in changes:
        if change.want is not None and isinstance(change.have, ActualHaproxy) and change.have.running.answers:
            serving.setdefault(change.key.name.partition("/")[2], []).append(change)
        else:
            yield [change]
    yield from serving.values()


def carry_out(change: Change, scope: Scope, host: Host, done: Done) -> str:
    """One HAProxy as wanted, or gone. What was done, for the journal."""
    instance = Instance.of(change.key, scope, host)
    if not isinstance(change.want, DesiredHaproxy):
        remove = partial(process.remove, instance)
        return removed(scope, host, instance.machine.name, remove, "stopped HAProxy, removed its files")
    wanted = change.want.wanted
    running = look(instance, host.clock, by_hand=wanted.by_hand == "keep")
    way = transition(running, wanted)
    balancer = scope.of("haproxy", LoadBalancers).by_name[instance.balancer]
    execution = Execution(
        instance,
        running,
        wanted,
        Prober(balancer, instance.machine),
        partial(done.step, change),
        host.clock,
    )
    try:
        said = execution.carry_out(way.steps)
    finally:
        for note in execution.notes:
            done.note(change, note)
    return "; ".join([f"{way.way}: {len(way.lines)} step{'' if len(way.lines) == 1 else 's'}", *said])
