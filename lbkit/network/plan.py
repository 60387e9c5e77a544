"""Networks as they shall be, and what a difference means. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import differing
from lbkit.network.observe import FORWARDING, KIND, World
from lbkit.network.resolve import Networks, ResolvedNetwork


def desired(topology: str, networks: Networks) -> list[Desired]:
    return [
        Desired(
            Key(KIND, network.name),
            state_wanted(topology, network),
            claims=frozenset(
                {f"link {network.bridge}"}
                | {f"address {network.name} {gateway.ip}" for gateway in network.gateways}
            ),
        )
        for network in networks.by_name.values()
    ]


def state_wanted(topology: str, network: ResolvedNetwork) -> dict[str, Any]:
    nat = network.prefixes if network.nat else ()
    return {
        "bridge": network.bridge,
        "mac": bridge_mac(topology, network.name),
        "mtu": network.mtu,
        "up": True,
        "gateways": sorted(map(str, network.gateways)),
        "nat": sorted(map(str, nat)),
        "forwarding": sorted(f"ipv{version}" for version in {prefix.version for prefix in nat}),
        "strays": [],
    }


def bridge_mac(topology: str, network: str) -> str:
    """Always the same one, locally administered: left alone, a bridge takes the address of one of its ports, and a new one as they change."""
    digest = hashlib.sha256(f"bridge/{topology}/{network}".encode()).digest()
    return bytes([digest[0] & 0xFC | 0x02, *digest[1:6]]).hex(":")


def summary(want: Desired) -> str:
    words = [f"bridge {want.state['bridge']}", *want.state["gateways"]]
    if want.state["nat"]:
        words.append("its machines reach the world under the host's address")
    return ", ".join(words)


def judge_update(want: Desired, have: Actual) -> Verdict | None:
    if "strays" not in have.state:  # foreign, and to be adopted
        return Verdict(Action.UPDATE, Impact.DISRUPTIVE, "what stands was not made by lbkit")
    fields = differing(want, have)
    if not fields:
        return None
    if not have.state["bridge"]:
        return Verdict(Action.UPDATE, Impact.NONE, "the bridge is gone")
    if "bridge" in fields:
        words = f"the bridge is {have.state['bridge']}, declared is {want.state['bridge']}"
        return Verdict(Action.REPLACE, Impact.DISRUPTIVE, words)
    verdicts = [_judge(field, want.state[field], have.state[field]) for field in fields]
    impacts = list(Impact)
    impact = max((impact for impact, _ in verdicts), key=impacts.index)
    return Verdict(Action.UPDATE, impact, "; ".join(words for _, words in verdicts))


def _judge(field: str, want: Any, have: Any) -> tuple[Impact, str]:
    if field == "gateways":
        goes = sorted(set(have) - set(want))
        comes = sorted(set(want) - set(have))
        words = " and ".join(
            [f"{', '.join(goes)} goes"] * bool(goes) + [f"{', '.join(comes)} comes"] * bool(comes)
        )
        impact = Impact.DISRUPTIVE if goes else Impact.NONE
        return impact, f"of the host's own addresses {words}"
    if field == "mtu":
        impact = Impact.HITLESS if want > have else Impact.DISRUPTIVE
        return impact, f"the MTU is {have}, declared is {want}"
    if field == "mac":
        return Impact.DISRUPTIVE, f"the bridge's address was changed to {have}: neighbours learn it anew"
    if field == "up":
        return Impact.NONE, "the bridge is down"
    if field == "nat":
        if not want:
            return Impact.DISRUPTIVE, "machines lose their way to the world beyond the host"
        return Impact.HITLESS, f"address translation is for {', '.join(have) or 'nothing'}"
    if field == "forwarding":
        missing = sorted(set(want) - set(have))
        return Impact.NONE, f"this host does not forward {' and '.join(missing)} yet, and will from now on"
    return Impact.DISRUPTIVE, f"another bridge has this network's owner mark: {', '.join(have)}"


def notes(networks: Networks, world: World) -> Iterable[str]:
    """What turning forwarding on means: it is the host's setting, not the topology's."""
    for version, name in FORWARDING.items():
        users = [
            network.name
            for network in networks.by_name.values()
            if network.nat and any(prefix.version == version for prefix in network.prefixes)
        ]
        if users and version not in world.forwarding:
            yield (
                f"{name} is off on this host; nat of {', '.join(users)} turns it on, and it stays on after a destroy"
            )
    for link in world.would_lose:
        yield (
            f"{link} has its IPv6 routes from router advertisements, which a host that forwards ignores: "
            f"set net.ipv6.conf.{link}.accept_ra to 2 first"
        )
