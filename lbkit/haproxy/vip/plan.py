"""What shall stand of virtual addresses, and what a difference means. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy.instance import key_of
from lbkit.haproxy.resolved import ResolvedVip
from lbkit.haproxy.vip.config import KIND, loaded_digest, render, script_digest, vrrp_of
from lbkit.haproxy.vip.observe import claims

__all__ = ["KIND", "desired", "judge_update"]


def desired(balancer: str, vip: ResolvedVip, topology: str) -> Iterator[Desired]:
    script = script_digest()
    for member in vip.peers:
        text = render(vrrp_of(balancer, vip, member, topology))
        yield Desired(
            key_of(KIND, member, balancer),
            {
                "config": text,
                "script": script,
                "alive": True,
                "loaded": loaded_digest(text, script),
            },
            requires=frozenset(
                {Key("machine", member), Key("presence", member), key_of("haproxy", member, balancer)}
            ),
            claims=claims(text),
            within=Key("machine", member),
        )


def judge_update(want: Desired, have: Actual) -> Verdict | None:
    if want.state == have.state:
        return None
    changed = want.state["config"] != have.state["config"]
    moved = claims(str(want.state["config"])) != claims(have.state["config"] or "")
    if not have.state["alive"]:
        return Verdict(
            Action.RESTART, Impact.HITLESS, "keepalived does not run; the address stays with who has it"
        )
    if moved and changed:
        return Verdict(Action.UPDATE, Impact.DISRUPTIVE, "the address changes")
    if want.state["script"] != have.state["script"]:
        return Verdict(Action.UPDATE, Impact.DISRUPTIVE, "watch.py changes: the address may move, once")
    if changed:
        said = ", ".join(_keywords(str(want.state["config"]), have.state["config"] or ""))
        return Verdict(Action.UPDATE, Impact.RELOAD, f"{said or 'its file'} changes; the address stays")
    return Verdict(Action.UPDATE, Impact.RELOAD, "the running keepalived has not loaded its file")


def _keywords(after: str, before: str) -> list[str]:
    lines = set(after.splitlines()) ^ set(before.splitlines())
    words = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    return sorted("unicast_peer" if word[0].isdigit() or ":" in word else word for word in words)
