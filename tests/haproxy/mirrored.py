"""Backends of a mirror, without the room of mirrors: what they need of it stands in the address book."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

from lbkit.engine.book import Endpoint
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolve import balancers
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.spec.balancer import LoadBalancers as Section
from tests.haproxy.topologies import Document, balancer, document

HTTP, CHECK = 8000, 8001
NODES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")


def mirrored(backend: Document | None = None, **changes: Any) -> Document:
    """A load balancer before the nodes of `mirrors.debian`."""
    found = {"servers": [{"mirror": "debian"}]} | (backend or {})
    shop: Document = {
        "vip": None,
        "frontends": {"http": {"bind": "127.0.0.1:7080", "backend": "debian"}},
        "backends": {"debian": found},
    }
    return document(load_balancers={"shop": balancer(**(shop | changes))})


def loopback(draft: Draft) -> None:
    """Nodes on this host, each at an address of its own."""
    draft.book.entries["mirrors.debian"] = tuple(
        Endpoint(
            f"mirror-{number}",
            {"back": (ip_address(address),)},
            frozenset({Key("service", f"mirror-{number}/mirror-http")}),
            {"http": HTTP, "check": CHECK},
            {"session": 300.0},
        )
        for number, address in enumerate(NODES, start=1)
    )


@contextmanager
def booked(enter: Any = loopback) -> Iterator[None]:
    """Documents that are loaded within have what `enter` puts into the book."""
    resolve = balancers.resolve

    def with_book(section: Section, draft: Draft) -> LoadBalancers:
        enter(draft)
        return resolve(section, draft)

    with patch.object(balancers, "resolve", with_book):
        yield
