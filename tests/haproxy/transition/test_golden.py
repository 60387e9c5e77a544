"""Whole plans, as a person reads them: planned at the model, and told in tests/haproxy/transition/golden/*.txt.

After a change that is meant: `LBKIT_GOLDEN=write pytest tests/haproxy/transition/test_golden.py`, and read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from lbkit.haproxy.transition.planner import transition
from lbkit.haproxy.transition.state import Running
from tests.haproxy.model.planned import Lbkit, started, wanted
from tests.haproxy.model.test_certificates import folder  # noqa: F401
from tests.haproxy.model.test_certificates import wanted as with_certificates
from tests.haproxy.topologies import Document, balancer, document

GOLDEN = Path(__file__).with_name("golden")
CHECK = {"protocol": "http", "path": "/healthz", "rise": 2, "fall": 3}


def server(name: str, number: int, **more: Any) -> Document:
    return {"name": name, "address": f"192.0.2.{number}", "port": 8080, **more}


A, B, C, D = (server(name, number) for number, name in enumerate("abcd", 1))


def shop(*servers: Document, routes: list[Document] | None = None, **backend: Any) -> Document:
    web = {"servers": list(servers), "health_check": CHECK, **backend}
    api = {"servers": [server("api", 9)], "health_check": CHECK}
    front = {"bind": 80, "backend": "web", "routes": routes or [{"path_prefix": "/api", "backend": "api"}]}
    shops = {"shop": balancer(vip=None, frontends={"http": front}, backends={"web": web, "api": api})}
    return document(load_balancers=shops)


def moved(each: Document, **more: Any) -> Document:
    return {**each, "port": 9090, **more}


CASES: dict[str, tuple[Document, Document]] = {
    "add": (shop(A, B), shop(A, B, C)),
    "remove": (shop(A, B, C), shop(A, B)),
    "replace-last": (shop(A), shop(B)),
    "replace-all": (shop(A, B), shop(C, D)),
    "move": (shop(A, B, C), shop(moved(A), B, C)),
    "move-all": (shop(A, B, C), shop(moved(A), moved(B), moved(C))),
    "move-only": (shop(A), shop(moved(A))),
    "move-unchecked": (shop(A, health_check=False), shop(moved(A), health_check=False)),
    "move-and-drain": (shop(A, B), shop(A, moved(B, state="drain"))),
    "drain": (shop(A, B), shop(A, {**B, "state": "drain"})),
    "drain-ends": (shop(A, {**B, "state": "drain"}), shop(A, B)),
    "maintenance": (shop(A, B), shop(A, {**B, "state": "maintenance"})),
    "maintenance-ends": (shop(A, {**B, "state": "maintenance"}), shop(A, B)),
    "weight": (shop(A, B), shop(A, {**B, "weight": 7})),
    "weight-0": (shop(A, B), shop(A, {**B, "weight": 0})),
    "route": (shop(A), shop(A, routes=[{"path_prefix": "/v2", "backend": "api"}])),
    "static": (shop(A, balance="static-rr"), shop(A, B, balance="static-rr")),
    "cookie": (shop(A, cookie="S"), shop(B, cookie="S")),
    "check": (shop(A, B), shop(moved(A), B, health_check={**CHECK, "path": "/ready"})),
    "backup": (shop(A, B), shop(A, {**B, "backup": True})),
    "agent": (shop(A), shop(A, health_check={**CHECK, "agent": {"port": 9999}})),
}


def told(lbkit: Lbkit, then: Document) -> str:
    way = lbkit.plan(wanted(then))
    return _text(str(way.way), way.reason, way.lines)


def _text(way: str, reason: str, lines: tuple[str, ...]) -> str:
    text = "\n".join([f"{way}: {reason}", *(f"  {line}" for line in lines)]) + "\n"
    return re.sub(r"sha256:[0-9a-f]{12}", "sha256:...", text)


def agrees(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("LBKIT_GOLDEN") == "write":
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_as_it_was(name: str) -> None:
    first, then = CASES[name]
    agrees(name, told(started(wanted(first), version="2.6"), then))


def test_the_plan_of_a_start_is_as_it_was() -> None:
    way = transition(Running(None, alive=False), wanted(shop(A)))
    agrees("start", _text(str(way.way), way.reason, way.lines))


@pytest.mark.parametrize(
    ("name", "then"), [("certificate", {"a": 2, "b": 1}), ("certificates", {"a": 1, "c": 1})]
)
def test_the_plan_of_certificates_is_as_it_was(name: str, then: dict[str, int], folder: Path) -> None:  # noqa: F811
    lbkit = started(with_certificates(folder, {"a": 1, "b": 1}))
    way = lbkit.plan(with_certificates(folder, then))
    agrees(name, _text(str(way.way), way.reason, way.lines))
