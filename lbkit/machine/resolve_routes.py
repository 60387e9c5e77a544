"""Routes of a group's machines: those that it declares, and the default routes."""

from __future__ import annotations

from ipaddress import ip_network

from lbkit.base.problems import near
from lbkit.engine.book import IPNetwork
from lbkit.engine.scope import Draft
from lbkit.machine.resolved import Route
from lbkit.machine.spec import Group
from lbkit.network.allocate import Pool
from lbkit.network.resolve import Networks, ResolvedNetwork

_DEFAULT = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


def routes_of(name: str, group: Group, networks: Networks, draft: Draft) -> tuple[Route, ...]:
    """Declared routes in their order, then the default routes that they leave out: one for IPv4, one for IPv6."""
    on_link = [networks.by_name[network] for network in group.networks if network in networks.by_name]
    whole = len(on_link) == len(group.networks)  # else a via may be on the network that is missing
    routes: list[Route] = []
    for index, declared in enumerate(group.routes):
        path = ("machines", name, "routes", index)
        prefixes = [prefix for network in on_link for prefix in network.prefixes]
        if any(declared.to == route.to for route in routes):
            draft.problems.add(
                path,
                "one route to each destination",
                found=f"two {'default routes' if declared.to in _DEFAULT.values() else f'routes to {declared.to}'}",
            )
            continue
        if declared.to in prefixes:
            draft.problems.add(
                (*path, "to"),
                "a destination beyond the machine's own networks",
                found=f"{declared.to} is one of them",
            )
        if declared.to.version != declared.via.version:
            draft.problems.add(
                (*path, "via"), f"an IPv{declared.to.version} address", found=str(declared.via)
            )
        elif whole and not any(Pool(prefix).usable(declared.via) for prefix in prefixes):
            draft.problems.add(
                (*path, "via"),
                f"the address of a router on a network of the group: in {' or '.join(map(str, prefixes))}",
                found=str(declared.via),
            )
        routes.append(Route(declared.to, declared.via))
    for route in _default_routes(name, group, on_link, draft):
        clash = next((known for known in routes if known.to == route.to), None)
        if clash is None:
            routes.append(route)
        elif isinstance(group.gateway, str):
            draft.problems.add(
                ("machines", name, "gateway"),
                "one default route",
                found=f"one by the gateway {route.via}, and one of `routes` via {clash.via}",
                remedy="leave one of them out",
            )
    return tuple(routes)


def _default_routes(name: str, group: Group, on_link: list[ResolvedNetwork], draft: Draft) -> list[Route]:
    """By the first network with a gateway, for each of IPv4 and IPv6; or by the one that `gateway` names."""
    if group.gateway is False:
        return []
    if isinstance(group.gateway, str):
        on_link = [network for network in on_link if network.name == group.gateway]
        _check_gateway(name, group, group.gateway, on_link, draft)
    via: dict[IPNetwork, Route] = {}
    for network in on_link:
        for gateway in network.gateways:
            to = _DEFAULT[gateway.version]
            via.setdefault(to, Route(to, gateway.ip))
    return list(via.values())


def _check_gateway(name: str, group: Group, gateway: str, found: list[ResolvedNetwork], draft: Draft) -> None:
    path = ("machines", name, "gateway")
    if gateway not in group.networks:
        remedy = near(gateway, group.networks)
        if gateway in {"no", "off", "none"}:
            remedy = "for no default route write `gateway: false`"
        draft.problems.add(path, "a network of this group, or false", found=gateway, remedy=remedy)
    elif found and not found[0].gateways:
        draft.problems.add(
            path,
            "a network where the host has an address",
            found=f"networks.{gateway} has no gateway",
            remedy=f"give networks.{gateway} a gateway, or name another network",
        )
