from __future__ import annotations

from lbkit.engine.resource import Key
from lbkit.engine.view import Edge, Health, Picture, Status

DRAWN = Picture(
    edges=(
        Edge("vip shop", "haproxy a"),
        Edge("vip shop", "haproxy b", faint=True),
        Edge("x", "y", faint=True),
    )
)


def row(name: str, feeds: frozenset[str] | None) -> Status:
    return Status(Key("vip", name), present=True, health=Health.UP, feeds=feeds)


def faint(picture: Picture) -> list[bool]:
    return [edge.faint for edge in picture.edges]


def test_edges_are_as_drawn_where_nobody_knows_better() -> None:
    assert DRAWN.as_it_is([]) == DRAWN
    assert DRAWN.as_it_is([row("shop", None), row("other", frozenset())]) == DRAWN


def test_requests_go_where_the_row_says() -> None:
    assert faint(DRAWN.as_it_is([row("shop", frozenset({"haproxy b"}))])) == [True, False, True]
    assert faint(DRAWN.as_it_is([row("shop", frozenset())])) == [True, True, True]
