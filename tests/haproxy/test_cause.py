"""The likely cause, of evidence that is hard to bring about."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from lbkit.engine.holds import Hold
from lbkit.haproxy.reasons.cause import cause, who_set
from lbkit.haproxy.reasons.evidence import Evidence
from lbkit.haproxy.reasons.history import last_change
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.runtime.servers_state import Admin
from lbkit.health.outcome import Outcome
from lbkit.network.netlink.lookup import NeighbourState
from lbkit.network.path import LinkState, Path
from tests.haproxy.topologies import document, resolved

BACKEND = resolved(document()).backends[0]
ROW = Row("web", "web-1", "UP", 1, 0, 0, 0, 5, "L7OK", "200", "", "", False, "")
GOOD = Evidence(
    "lb-1",
    True,
    BACKEND,
    BACKEND.servers[0],
    ROW,
    tcp=Outcome(True, "L4OK", "", 0.0),
    asked=Outcome(True, "L7OK", "", 0.0),
    path=Path({"back": LinkState(up=True, carrier=True)}, "back"),
)


def row(**changes: Any) -> dict[str, Any]:
    return {"row": replace(ROW, **changes)}


def bad(code: str, words: str = "") -> Outcome:
    return Outcome(passed=False, code=code, words=words, seconds=0.0)


DOWN = row(status="DOWN", check="L4TOUT")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"runs": False, "row": None}, "HAProxy does not run"),
        (row(limit=5, sessions=5, queue=7), "all 5 connections that its maxconn allows, and 7 requests wait"),
        (row(weight=0), "weight is 0 at run time, and 1 is declared"),
        ({**row(status="no check", check=""), "tcp": bad("L4CON")}, "no health check, so it gets requests although"),
        ({"tcp": bad("L4CON")}, "it stopped listening just now"),
        (row(status="DOWN", check="L4CON"), "passes its check again"),
        ({**row(status="DOWN", check="L6RSP")}, "its certificate does not pass verification"),
        ({**row(status="DOWN", check="L6RSP"), "asked": bad("L6RSP", "it is no TLS")}, "TLS does not begin: it is no TLS"),
        ({**row(status="DOWN", check="L7TOUT"), "asked": bad("L7TOUT")}, "too late"),
        ({**row(status="DOWN", check="L7RSP"), "asked": bad("L7RSP", "no 'ok'")}, "otherwise than expected: no 'ok'"),
        ({**DOWN, "tcp": bad("L4TOUT")}, "hangs, or a firewall"),
        (
            {**DOWN, "tcp": bad("L4TOUT"), "path": Path({"back": LinkState(up=True, carrier=False)}, "back")},
            "the link back of lb-1 is down",
        ),
        (
            {**DOWN, "tcp": bad("L4TOUT"), "path": Path(
                {"back": LinkState(up=True, carrier=True)}, "back",
                via=ip_address("192.0.2.1"), neighbour=NeighbourState.FAILED,
            )},
            "nobody answers for the gateway 192.0.2.1 on back",
        ),
        ({"admin": Admin.RESOLUTION_MAINT, **row(status="MAINT (resolution)")}, "its name has no address"),
        ({"admin": Admin.CONFIG_MAINT | Admin.FORCED_MAINT, **row(status="MAINT")}, "by the configuration"),
        ({"admin": Admin.INHERITED_MAINT, **row(status="MAINT (via a/b)")}, "whose state it follows"),
        (
            {"admin": Admin.FORCED_MAINT, "server": replace(BACKEND.servers[0], state="maintenance"), **row(status="MAINT")},
            "it is in maintenance, as declared (state: maintenance)",
        ),
        (
            {"hold": Hold("shop/web/web-1", "disk", "ada", "2026-01-01T00:00:00+00:00"), "admin": Admin.FORCED_DRAIN},
            "held by ada until it is released: disk",
        ),
    ],
)  # fmt: skip
def test_the_sentence(changes: dict[str, Any], words: str) -> None:
    found = cause(replace(GOOD, **changes))
    assert words in found
    assert bool(found) == bool(words)


def test_nobody_set_what_is_ready() -> None:
    assert who_set(GOOD) == ""


def record(event: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"time": f"t-{event}", "event": event, "kind": kind, "name": name, "action": "update", **more}


def test_the_last_change_that_named_it() -> None:
    records = [
        record("done", "machine", "web-1", executed="made"),
        record("begin", "haproxy", "lb-1/shop"),
        record(
            "step", "haproxy", "lb-1/shop", lines=["set server web/web-1 weight 5", "set server web/web-2 x"]
        ),
        record("done", "haproxy", "lb-1/shop", reason="weights", executed="2 commands"),
        record("begin", "haproxy", "lb-1/shop"),
        record("step", "haproxy", "lb-1/shop", lines=["set server web/web-10 weight 5"]),
        record("done", "haproxy", "lb-1/shop", reason="another's", executed="1 command"),
        record("done", "haproxy", "lb-1/other", reason="web/web-1", executed="another balancer's"),
        record("done", "service", "web-2/app", executed="another's"),
    ]
    found = last_change(records, "shop", "web", "web-1", "web-1")
    assert found == ("t-done: update haproxy lb-1/shop (weights)", "set server web/web-1 weight 5")
    held = [*records, {"time": "t", "event": "hold", "path": "shop/web/web-1", "reason": "disk"}]
    assert last_change(held, "shop", "web", "web-1", "web-1") == ("t: hold", "disk")
    served = [*records, record("done", "service", "web-1/app", reason="new files", executed="restarted")]
    found = last_change(served, "shop", "web", "web-1", "web-1")
    assert found == ("t-done: update service web-1/app (new files)", "restarted")
    assert last_change([], "shop", "web", "web-1", None) is None
