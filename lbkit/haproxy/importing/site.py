"""Networks and machines for a load balancer of whose site nothing is known but the addresses that it listens on."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from lbkit.haproxy.importing.report import Report

_NETWORK = "10.80.0.0/24"


def site(balancer: dict[str, Any], report: Report) -> tuple[dict[str, Any], dict[str, Any]]:
    """One machine, with the addresses that its frontends name: a second one on a network is the virtual one."""
    places: dict[str, str] = {}
    networks: dict[str, Any] = {}
    for address in _addresses(balancer):
        prefix = str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
        label = f"net{len(networks) + 1}"
        known = next((label for label, network in networks.items() if network["cidr"] == prefix), None)
        if known is None:
            networks[label] = {"cidr": prefix, "nat": True, **_gateway(address, prefix)}
            places[label] = str(address)
        elif "vip" not in balancer:
            balancer["vip"] = {"network": known, "address": str(address)}
        else:
            report.note(f"{address} is a third address on {prefix}: no machine of lbkit's has it")
    if not networks:
        return {"front": {"cidr": _NETWORK, "nat": True}}, {"networks": ["front"]}
    report.note(
        "networks and addresses of machines are made up so that binds fit: make them those of your site"
    )
    return networks, {"networks": {label: {"addresses": address} for label, address in places.items()}}


def _addresses(balancer: dict[str, Any]) -> list[IPv4Address | IPv6Address]:
    found: dict[IPv4Address | IPv6Address, None] = {}
    for part in balancer["frontends"].values():
        for bind in part["bind"]:
            text = bind["address"] if isinstance(bind, dict) and "address" in bind else bind
            if isinstance(text, str):
                host = text.rpartition(":")[0].strip("[]") if text is bind else text
                address = ip_address(host)
                if not (address.is_loopback or address.is_unspecified):
                    found[address] = None
    return list(found)


def _gateway(address: IPv4Address | IPv6Address, prefix: str) -> dict[str, Any]:
    """The host's own address is the first, unless that is taken."""
    network = ip_network(prefix)
    return {"gateway": str(network[-2])} if address == network[1] else {}
