"""One response in any portions: what it comes to does not depend on how it arrives."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.engine.promise import Promise
from lbkit.prove.exchange import AMISS, GOOD, Http, Outcome, Tcp
from lbkit.prove.tally import Attempt, Tally

PROMISE = Promise("shop/http", ip_address("10.80.0.10"), 80, host="shop.example.test")
SIX = Promise("shop/http", ip_address("fd00::10"), 80)


def response(status: int = 200, body: bytes = b"hello", *headers: str, chunked: bool = False) -> bytes:
    lines = [f"HTTP/1.1 {status} Words", *headers]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (1, body[at : at + 1]) for at in range(len(body))) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def fed(exchange: Http, data: bytes, cuts: list[int], *, end: bool = False) -> Outcome | None:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    outcome = None
    for first, last in pairwise(places):
        outcome = exchange.receive(data[first:last], ended=False)
        if outcome is not None:
            return outcome
    return exchange.receive(b"", ended=True) if end else outcome


CUTS = st.lists(st.integers(0, 400), max_size=12)


@given(CUTS, st.binary(max_size=80), st.booleans())
def test_a_whole_answer_is_good_however_it_comes_and_the_connection_can_be_used_again(
    cuts: list[int],
    body: bytes,
    chunked: bool,  # noqa: FBT001 - hypothesis fills it in
) -> None:
    exchange = Http(PROMISE)
    for _ in range(2):
        asked = exchange.ask("/a", last=False)
        assert asked.startswith(b"GET /a HTTP/1.1\r\n")
        assert b"Host: shop.example.test\r\n" in asked
        assert fed(exchange, response(200, body, chunked=chunked), cuts) == GOOD
        assert exchange.reusable


@given(CUTS, st.integers(1, 60))
def test_an_answer_that_ends_short_is_a_failure_however_it_comes(cuts: list[int], missing: int) -> None:
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    whole = response(200, b"x" * 40)
    outcome = fed(exchange, whole[: max(0, len(whole) - missing)], cuts, end=True)
    assert outcome is not None
    assert outcome.why
    assert outcome.cut == (missing <= 40)
    assert not exchange.reusable


def test_a_body_that_lasts_until_the_end_is_whole_at_the_end() -> None:
    exchange = Http(PROMISE)
    exchange.ask("/", last=True)
    assert exchange.receive(b"HTTP/1.1 200 OK\r\n\r\nsome", ended=False) is None
    assert exchange.receive(b"", ended=True) == GOOD
    assert not exchange.reusable


def test_who_announces_the_end_is_not_asked_again() -> None:
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    assert exchange.receive(response(200, b"x", "Connection: close"), ended=False) == GOOD
    assert not exchange.reusable


def test_an_informational_answer_is_not_the_answer() -> None:
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    assert exchange.receive(b"HTTP/1.1 103 Early Hints\r\n\r\n", ended=False) is None
    assert exchange.receive(response(), ended=False) == GOOD


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 429, 500, 501, *sorted(AMISS)])
def test_by_default_only_what_haproxy_says_itself_is_a_failure(status: int) -> None:
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    outcome = exchange.receive(response(status), ended=False)
    assert outcome == (Outcome(f"status {status}") if status in AMISS else GOOD)


def test_statuses_can_be_declared() -> None:
    for status, good in ((200, False), (404, True), (503, True)):
        promise = Promise("a", PROMISE.address, 80, expect=(404, 503))
        exchange = Http(promise)
        exchange.ask("/", last=False)
        outcome = exchange.receive(response(status), ended=False)
        assert outcome is not None
        assert (not outcome.why) == good


def test_failures_say_what_was_there() -> None:
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    assert exchange.receive(b"", ended=True) == Outcome("closed without an answer")
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    exchange.receive(b"HTTP/1.1 200 OK\r\nConte", ended=False)
    assert exchange.broken("reset") == Outcome("reset in the headers of the answer")
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    exchange.receive(response(200, b"x" * 10)[:-4], ended=False)
    assert exchange.broken("reset") == Outcome("reset after 6 of 10 bytes of the body", cut=True)
    exchange = Http(PROMISE)
    exchange.ask("/", last=False)
    outcome = exchange.receive(b"220 mail.example.test ESMTP\r\n\r\n", ended=False)
    assert outcome is not None
    assert "no HTTP" in outcome.why


def test_a_connection_of_tcp_mode_is_accepted_and_kept() -> None:
    assert Tcp().receive(b"220", ended=False) == GOOD
    assert Tcp().receive(b"", ended=True) == Outcome("accepted, then closed")
    assert Tcp().broken("reset") == Outcome("accepted, then reset")


def test_an_address_names_itself_in_the_host_header() -> None:
    assert b"Host: [fd00::10]\r\n" in Http(SIX).ask("/", last=False)
    assert str(SIX) == "shop/http [fd00::10]:80"


def test_a_target_counts_from_its_first_good_answer_on() -> None:
    tally = Tally(slow_after=1.0)
    bad, good = Outcome("reset"), GOOD
    tally.add(Attempt("fresh", 0.0), bad, 0.1)
    early = Attempt("fresh", 0.9)
    tally.add(Attempt("kept", 0.5), good, 1.0)
    tally.add(early, bad, 1.1)
    assert (tally.since, tally.sent, tally.failed) == (1.0, 1, 0)
    tally.add(Attempt("fresh", 1.0), bad, 1.2)
    tally.add(Attempt("kept", 1.5), good, 4.0)
    tally.add(Attempt("download", 1.5), Outcome("closed after 3 bytes", cut=True), 4.0)
    tally.add(Attempt("download", 1.5), good, 9.0)
    assert (tally.sent, tally.failed, tally.cut, tally.slow, tally.downloads) == (5, 1, 1, 1, 1)
    assert tally.slowest == 2.5, "of downloads none is slow"
    assert [why for _, _, why in tally.lost] == ["reset", "closed after 3 bytes"]
