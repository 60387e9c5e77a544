"""Health checks: the lines of a backend that say what is a good answer, and the words of its servers."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.times import ms
from lbkit.haproxy.text.words import Line, Words
from lbkit.health.spec import Agent, HealthCheck
from lbkit.health.values import Hex, octets


def check(section: HealthCheck, host: str, *, agent_too: bool = False) -> Iterator[Words]:
    """`host`: what the Host header says where the check does not. `agent_too`: of http, and of the status alone."""
    yield "timeout", "check", ms(section.timeout)
    if agent_too and section.agent is not None:
        yield from _with_agent(section, section.agent.port, section.host or host)
    elif section.is_http:
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


def _with_agent(section: HealthCheck, port: int, host: str) -> Iterator[Words]:
    """HAProxy passes over an agent that does not answer: what it said last holds, for ever. So its check asks there, too.

    A check of HTTP speaks nothing else (configuration manual, 4.2 "option httpchk"), so this one speaks it byte by byte.
    """
    request = f"{section.method} {section.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lbkit\r\nConnection: close\r\n\r\n"
    good = "|".join(str(code) for first, last in section.expect.ranges for code in _classes(first, last))
    yield "option", "tcp-check"
    yield "tcp-check", "connect", "port", port
    yield "tcp-check", "expect", "rstring", "^(ready|drain)"
    yield "tcp-check", "connect", "default"
    yield "tcp-check", "send-binary", request.encode().hex()
    yield "tcp-check", "expect", "rstring", f"^HTTP/1[.][01] ({good})"


def _classes(first: int, last: int) -> Iterator[str]:
    """As expressions: whole classes of status codes, and single ones beside."""
    for hundred in range(first // 100, last // 100 + 1):
        begin, end = max(first, hundred * 100), min(last, hundred * 100 + 99)
        if (begin, end) == (hundred * 100, hundred * 100 + 99):
            yield f"{hundred}[0-9][0-9]"
        else:
            yield from (str(code) for code in range(begin, end + 1))


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
