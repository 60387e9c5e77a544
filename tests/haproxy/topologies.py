"""Documents for the tests of this room, and what the loader makes of them."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.base.problems import InvalidDocument
from lbkit.engine.scope import Scope
from lbkit.haproxy.resolved import LoadBalancers, ResolvedLoadBalancer

Document = dict[str, Any]


def document(**changes: Any) -> Document:
    """Two machines with HAProxy, a virtual address of both families, three servers and one elsewhere."""
    base: Document = {
        "lbkit": 1,
        "name": "web",
        "networks": {
            "front": {"cidr": ["10.80.0.0/24", "fd00:80::/64"]},
            "back": {"cidr": "10.80.1.0/24"},
            "store": {"cidr": "10.80.2.0/24"},
        },
        "machines": {
            "lb": {"count": 2, "networks": ["front", "back"]},
            "web": {
                "count": 3,
                "networks": {"back": {"addresses": ["10.80.1.21", "10.80.1.22", "10.80.1.23"]}},
                "run": [{"name": "app", "command": ["/bin/true"]}],
            },
            "db": {"networks": ["store"]},
            "none": {"count": 0, "networks": ["back"]},
        },
        "load_balancers": {"shop": balancer()},
    }
    return base | changes


def balancer(**changes: Any) -> Document:
    base: Document = {
        "machines": "lb",
        "vip": {"network": "front", "address": ["10.80.0.10", "fd00:80::10"]},
        "frontends": {"http": {"bind": 80, "backend": "web"}},
        "backends": {
            "web": {
                "balance": "leastconn",
                "servers": [
                    {"machines": "web", "port": 8080},
                    {"name": "old", "address": "192.0.2.7", "port": 80, "weight": 10, "backup": True},
                ],
                "health_check": {"protocol": "http", "path": "/healthz", "rise": 2, "fall": 3},
            }
        },
    }
    return base | changes


def with_(path: str, value: Any, base: Document | None = None) -> Document:
    """The document with one value changed, at a dotted path ("load_balancers.shop.machines")."""
    changed = copy.deepcopy(base or document())
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    at: Any = changed
    for part in parents:
        at = at[part] if isinstance(part, int) else at.setdefault(part, {})
    at[last] = value
    return changed


def load(data: Document) -> Scope:
    return lbkit.load_data(data, Path("/nowhere"))


def resolved(data: Document, name: str = "shop") -> ResolvedLoadBalancer:
    return load(data).of("haproxy", LoadBalancers).by_name[name]


def refusals(data: Document) -> list[str]:
    """What the loader says is wrong, one text each; a test that expects it to be refused."""
    with pytest.raises(InvalidDocument) as caught:
        load(data)
    return [re.sub(r"\s+", " ", f"{problem}") for problem in caught.value.problems]


def refused(data: Document, *words: str) -> None:
    said = refusals(data)
    assert any(all(word in text for word in words) for text in said), said
