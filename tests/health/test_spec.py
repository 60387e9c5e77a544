"""What may be said of a health check, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from lbkit.health.asking import question_of
from lbkit.health.spec import Expect, HealthCheck
from tests.haproxy.topologies import refused, resolved, with_
from tests.health.strategies import documents

CHECK = "load_balancers.shop.backends.web.health_check"


@given(documents)
def test_what_is_meant_is_taken(data: dict[str, Any]) -> None:
    check = HealthCheck.model_validate(data)
    assert HealthCheck.model_validate(check.model_dump(exclude_unset=True)) == check


def test_a_small_check_stays_small() -> None:
    written = {"protocol": "http", "path": "/healthz", "expect": {"status": "200-299", "body": "ok"}}
    check = resolved(with_(CHECK, written)).backends[0].health_check
    assert check is not None
    assert check.expect == Expect(status=("200-299",), body="ok")


@pytest.mark.parametrize(
    ("status", "good", "bad"),
    [(200, {200}, {199, 201}), ("200-299", {200, 299}, {300}), ([204, "300-302"], {204, 301}, {200, 303})],
)
def test_status_codes_as_people_write_them(status: object, good: set[int], bad: set[int]) -> None:
    question = question_of(HealthCheck.model_validate({"protocol": "http", "expect": {"status": status}}))
    assert all(question.accepts(code) for code in good)
    assert not any(question.accepts(code) for code in bad)


HTTP = {"protocol": "http"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"path": "/x"}, "protocol: http or https"),
        ({"expect": {"body": "x"}}, "protocol: http or https"),
        ({**HTTP, "send": "x"}, "protocol: tcp or tls"),
        ({**HTTP, "expect": {"answer": "x"}}, "protocol: tcp or tls"),
        ({**HTTP, "method": "HEAD", "expect": {"body": "x"}}, "another method than HEAD"),
        ({**HTTP, "method": "get"}, "GET"),
        ({**HTTP, "expect": {"status": "299-200"}}, "the lower one first"),
        ({**HTTP, "expect": {"status": 99}}, "a status code"),
        ({**HTTP, "expect": {"status": "200,204"}}, "a status code"),
        ({**HTTP, "expect": {"body": "a\nb"}}, "control characters"),
        ({**HTTP, "expect": {"body_regex": "("}}, "a regular expression"),
        ({**HTTP, "headers": {"Host": "a"}}, "headers other than"),
        ({**HTTP, "headers": {"content-length": "1"}}, "headers other than"),
        ({**HTTP, "headers": {"A": "1", "a": "2"}}, "each header once"),
        ({**HTTP, "headers": {"A b": "1"}}, "the name of an HTTP header"),
        ({**HTTP, "headers": {"A": "1\r\nB: 2"}}, "one line of ASCII"),
        ({**HTTP, "host": "a b"}, "a name or an address"),
        ({"protocol": "tls", "server_name": "a b"}, "a DNS name"),
        ({"send": "\0"}, "control characters"),
        ({"send": {"hex": "abc"}}, "pairs of hexadecimal digits"),
        ({"send": "x" * 1025}, "at most 1024"),
        ({"agent": {"port": 80, "send": "a\nb"}}, "control characters"),
        ({"agent": {}}, "port"),
        ({"protocol": "icmp"}, "tcp"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(written: dict[str, Any], said: str) -> None:
    refused(with_(CHECK, written), said)
