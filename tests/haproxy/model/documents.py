"""Load balancers by chance: small, and near each other, so that one is often a step from the next."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.haproxy.model.world import Place
from tests.haproxy.topologies import Document, balancer, document

NAMES = ("a", "b", "c", "d")
PORTS = (8001, 8002)
CHECK = {"protocol": "tcp", "interval": "1s", "timeout": "500ms", "rise": 2, "fall": 2}


def _server(name: str) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries(
        {
            "name": st.just(name),
            "address": st.just(f"192.0.2.{NAMES.index(name) + 1}"),
            "port": st.sampled_from(PORTS),
        },
        optional={
            "weight": st.sampled_from([0, 5]),
            "maxconn": st.just(7),
            "state": st.sampled_from(["drain", "maintenance"]),
            "backup": st.just(True),
        },
    )


def servers() -> st.SearchStrategy[list[Document]]:
    names = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
    return names.flatmap(lambda chosen: st.tuples(*map(_server, chosen)).map(list))


@st.composite
def backends(draw: st.DrawFn) -> Document:
    found: Document = {
        "balance": draw(st.sampled_from(["roundrobin", "roundrobin", "leastconn", "static-rr"])),
        "servers": draw(servers()),
        "health_check": draw(st.sampled_from([CHECK, CHECK, CHECK, CHECK | {"fall": 3}, False])),
    }
    if draw(st.integers(0, 5)) == 0:
        found["cookie"] = "S"
    return found


@st.composite
def documents(draw: st.DrawFn) -> Document:
    found: Document = {"web": draw(backends())}
    front: Document = {"bind": 80, "backend": "web"}
    if draw(st.booleans()):
        found["api"] = draw(backends())
        if draw(st.booleans()):
            to = draw(st.sampled_from(["web", "api"]))
            front["routes"] = [{"path_prefix": "/api", "backend": to}, {"host": "x.test", "backend": "api"}]
    extra: dict[str, Any] = {"by_hand": "keep"} if draw(st.integers(0, 4)) == 0 else {}
    return document(
        load_balancers={"shop": balancer(vip=None, frontends={"http": front}, backends=found, **extra)}
    )


def places() -> st.SearchStrategy[set[Place]]:
    return st.sets(
        st.tuples(st.sampled_from([f"192.0.2.{number}" for number in (1, 2, 3, 4)]), st.sampled_from(PORTS)),
        max_size=4,
    )


@st.composite
def by_hand(draw: st.DrawFn) -> list[str]:
    """Commands that somebody gives at the runtime socket, of servers that may not be there."""
    said = []
    for _ in range(draw(st.integers(0, 3))):
        name = f"{draw(st.sampled_from(['web', 'api']))}/{draw(st.sampled_from(NAMES))}"
        said.append(
            draw(
                st.sampled_from(
                    [
                        *(f"set server {name} state {state}" for state in ("ready", "drain", "maint")),
                        f"set server {name} weight 9",
                        f"disable health {name}",
                        f"set maxconn server {name} 3",
                        f"del server {name}",
                        f"set server {name} addr 192.0.2.9 port 8009",
                        "prepare map maps/http.path_prefix.map",
                    ]
                )
            )
        )
    return said
