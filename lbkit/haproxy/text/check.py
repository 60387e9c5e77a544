"""Health checks: the lines of a backend that say what is a good answer, and the words of its servers."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.times import ms
from lbkit.haproxy.text.words import Line, Words
from lbkit.health.spec import Agent, HealthCheck
from lbkit.health.values import Hex, octets


def check(section: HealthCheck, host: str) -> Iterator[Words]:
    """`host`: what the Host header says where the check does not."""
    yield "timeout", "check", ms(section.timeout)
    if section.is_http:
        yield from _http(section, section.host or host)
    elif section.has_dialogue:
        yield from _dialogue(section)


def check_words(section: HealthCheck, *, verified: bool = False) -> Words:
    """Of a `server` or `default-server` line. `verified`: it says itself how certificates are verified."""
    words: list[str | int] = ["check", "inter", ms(section.interval)]
    if section.interval_changing is not None:
        words += ["fastinter", ms(section.interval_changing)]
    if section.interval_down is not None:
        words += ["downinter", ms(section.interval_down)]
    words += ["rise", section.rise, "fall", section.fall]
    if section.forces_tls:
        words += ["check-ssl"]
        if not verified:
            words += ["verify", "none"]
    if section.server_name is not None:
        words += ["check-sni", section.server_name]
    if section.proxy_protocol:
        words += ["check-send-proxy"]
    if section.agent is not None:
        words += _agent(section.agent)
    return tuple(words)


def own_words(section: HealthCheck | None) -> Words:
    """What each server says itself although all say the same: of a server these can be changed as HAProxy runs."""
    words: list[str | int] = []
    if section is not None and section.port is not None:
        words += ["port", section.port]
    if section is not None and section.agent is not None:
        words += ["agent-port", section.agent.port]
    return tuple(words)


def _http(section: HealthCheck, host: str) -> Iterator[Words]:
    expect = section.expect
    yield "option", "httpchk"
    headers = {"Host": host, **section.headers}
    if not any(name.lower() == "user-agent" for name in headers):
        headers["User-Agent"] = "lbkit"
    # a header's value is a log-format (configuration manual, 4.2 "http-check send"), in which % has a meaning
    said = (word for name, value in headers.items() for word in ("hdr", name, value.replace("%", "%%")))
    yield "http-check", "send", "meth", section.method, "uri", section.path, "ver", "HTTP/1.1", *said
    yield "http-check", "expect", "status", ",".join(expect.status)
    if expect.body is not None:
        yield "http-check", "expect", "string", expect.body
    if expect.body_regex is not None:
        yield "http-check", "expect", "rstring", expect.body_regex


def _dialogue(section: HealthCheck) -> Iterator[Words]:
    expect = section.expect
    yield "option", "tcp-check"
    if section.send is not None:
        text = _text(section.send)
        yield "tcp-check", *(("send", text) if text else ("send-binary", octets(section.send).hex()))
    if expect.answer is not None:
        text = _text(expect.answer)
        yield (
            "tcp-check",
            "expect",
            *(("string", text) if text else ("binary", octets(expect.answer).hex())),
        )
    if expect.answer_regex is not None:
        yield "tcp-check", "expect", "rstring", expect.answer_regex


def _text(value: str | Hex) -> str:
    """Text that can stand as it is; "" for what is written as hexadecimal digits."""
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def _agent(agent: Agent) -> Words:
    words: list[str | int] = ["agent-check", "agent-inter", ms(agent.interval)]
    if agent.send is not None:
        words += ["agent-send", Line(agent.send)]
    return tuple(words)
