"""Namespace machines as desired and as seen, in one shape. Pure, but for what settings this kernel has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from lbkit.base.mark import mark, read_mark
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key, State
from lbkit.machine.netns.network import namespace_name
from lbkit.machine.resolved import ResolvedMachine
from lbkit.machine.sysctls import SYSCTLS
from lbkit.network import sysctl
from lbkit.network.links import RouteTo, SeenInterface, SeenNamespace, WantedInterface, WantedNamespace


@cache
def sysctls() -> Mapping[str, str]:
    """Those of them that this kernel has: it may be without IPv6."""
    return {name: value for name, value in SYSCTLS.items() if sysctl.get(name) is not None}


def wanted(topology: str, machine: ResolvedMachine) -> WantedNamespace:
    return WantedNamespace(
        name=namespace_name(topology, machine.name),
        mark=mark(topology, "machine", machine.name),
        interfaces=tuple(
            WantedInterface(
                name=interface.network,
                host_link=interface.link,
                bridge=interface.bridge,
                mac=interface.mac.lower(),
                mtu=interface.mtu,
                addresses=interface.addresses,
                mark=mark(topology, "machine", machine.name, interface.network),
            )
            for interface in machine.interfaces
        ),
        routes=tuple((route.to, route.via) for route in machine.routes),
        sysctls=sysctls(),
    )


def state_wanted(namespace: WantedNamespace) -> dict[str, Any]:
    return {
        "driver": "netns",
        "namespace": namespace.name,
        "interfaces": {
            each.name: {
                "up": True,
                "host_link": each.host_link,
                "bridge": each.bridge,
                "mac": each.mac,
                "mtu": each.mtu,
                "addresses": sorted(map(str, each.addresses)),
            }
            for each in namespace.interfaces
        },
        "routes": _routes(namespace.routes),
        "sysctls": dict(namespace.sysctls),
    }


def state_seen(topology: str, namespace: SeenNamespace) -> dict[str, Any]:
    """What is foreign inside (links without the topology's mark) is left out: it is no difference."""
    if not namespace.whole:
        return state_gone()
    return {
        "driver": "netns",
        "namespace": namespace.name,
        "interfaces": {
            each.name: {
                "up": each.up and namespace.lo_up,
                "host_link": each.host_link if each.host_mark == each.mark else "",
                "bridge": each.bridge,
                "mac": each.mac.lower(),
                "mtu": each.mtu,
                "addresses": sorted(map(str, each.addresses)),
            }
            for each in namespace.interfaces
            if _is_ours(topology, each)
        },
        "routes": _routes(namespace.routes),
        "sysctls": dict(namespace.sysctls),
    }


def state_gone() -> dict[str, Any]:
    """Of a machine whose folder stands, and nothing else."""
    return {"driver": "netns", "namespace": None, "interfaces": {}, "routes": [], "sysctls": {}}


def judge(want: Desired, have: Actual) -> Verdict | None:
    if have.state.get("namespace", "") is None:
        return Verdict(Action.UPDATE, Impact.NONE, "its files are there, but it is not")
    missing: list[str] = []
    wrong: list[str] = []
    for part, value in want.state.items():
        found = have.state.get(part)
        if found == value:
            continue
        if isinstance(value, dict) and isinstance(found, dict):
            for name in sorted({*value, *found}):
                if found.get(name) != value.get(name):
                    (missing if name not in found else wrong).append(f"{part} {name}")
        else:
            wrong.append(part)
    if not missing and not wrong:
        return None
    words = [f"{name} missing" for name in missing] + [f"{name} not as declared" for name in wrong]
    impact = Impact.DISRUPTIVE if wrong else Impact.NONE
    return Verdict(Action.UPDATE, impact, "; ".join(words))


def judge_replaced(have: Actual, cost: tuple[Impact, str]) -> Verdict:
    steps = ("remove its files", "make its namespace and links anew")
    if have.state["namespace"] is None:
        return Verdict(Action.REPLACE, Impact.NONE, "a new one is asked for, and none runs", steps)
    impact, words = cost
    return Verdict(Action.REPLACE, impact, f"a new one is asked for; {words}", ("stop it", *steps))


def addresses_of(state: State) -> str:
    interfaces = state["interfaces"].values()
    return ", ".join(address for interface in interfaces for address in interface["addresses"])


def networks_of(topology: str, namespace: SeenNamespace) -> frozenset[Key]:
    """The networks that it stands on, by the marks of its interfaces."""
    marks = (read_mark(each.mark) for each in namespace.interfaces if _is_ours(topology, each))
    return frozenset(
        Key("network", found.path.rsplit("/", 1)[1])
        for found in marks
        if found is not None and found.path.count("/") == 2
    )


def _is_ours(topology: str, interface: SeenInterface) -> bool:
    found = read_mark(interface.mark)
    return found is not None and found.topology == topology


def _routes(routes: tuple[RouteTo, ...]) -> list[str]:
    return sorted(f"{to} via {via}" for to, via in routes)
