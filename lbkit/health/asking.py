"""From a check as it is declared, and the way that traffic goes, to the question that a server is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lbkit.health.question import Question, ServerTls
from lbkit.health.spec import HealthCheck
from lbkit.health.values import octets


@dataclass(frozen=True, slots=True)
class Traffic:
    """How traffic goes to the servers: a check of the same port goes the same way. `connect_timeout` in seconds."""

    tls: ServerTls | None = None
    proxy_protocol: Literal[0, 1, 2] = 0
    connect_timeout: float = 5.0


def question_of(check: HealthCheck, traffic: Traffic | None = None, *, host: str = "") -> Question:
    """`host` is what the Host header says where the check does not."""
    traffic = traffic or Traffic()
    own_port = check.port is not None
    inherited = 0 if own_port else traffic.proxy_protocol
    return Question(
        port=check.port,
        connect_within=min(traffic.connect_timeout, check.interval),
        answer_within=check.timeout,
        tls=_tls(check, None if own_port and not check.forces_tls else traffic.tls),
        proxy_protocol=inherited or (1 if check.proxy_protocol else 0),
        request=_request(check, host) if check.is_http else octets(check.send) if check.send else b"",
        method=check.method if check.is_http else "",
        status=tuple(check.expect.ranges) if check.is_http else (),
        body=check.expect.body,
        body_regex=check.expect.body_regex,
        answer=None if check.expect.answer is None else octets(check.expect.answer),
        answer_regex=check.expect.answer_regex,
    )


def _tls(check: HealthCheck, traffic: ServerTls | None) -> ServerTls | None:
    if traffic is None and not check.forces_tls:
        return None
    speaks = traffic or ServerTls()
    return ServerTls(speaks.ca, check.server_name or speaks.name)


def _request(check: HealthCheck, host: str) -> bytes:
    headers = {"Host": check.host or host, **check.headers}
    if not any(name.lower() == "user-agent" for name in headers):
        headers["User-Agent"] = "lbkit"
    headers["Connection"] = "close"
    if check.method == "POST":
        headers["Content-Length"] = "0"
    lines = [
        f"{check.method} {check.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
