"""Servers asked from the network that this process is in, their names looked up as this host does."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import read_given, shown
from lbkit.health.asking import Traffic, question_of
from lbkit.health.outcome import NOT_ASKED, Outcome, Target
from lbkit.health.probe import probe, sockets_here
from lbkit.health.question import Question, ServerTls
from lbkit.health.servers import Server
from lbkit.health.spec import HealthCheck

_AT_ONCE = 256  # of those that are not asked the same
_HTTP, _HTTPS = 80, 443
_MOST = 4 << 20  # bytes of certificates


@dataclass(frozen=True, slots=True)
class Network:
    """`ca`: PEM of who must have signed servers' certificates; None: anyone."""

    check: HealthCheck
    ca: str | None = None

    def ask(self, servers: Sequence[Server], within: float | None) -> Mapping[Server, Outcome]:
        """All at once. One that has a name is well where one of its addresses is, as clients go on to the next.

        A name is looked up by the host's resolver, which may take longer than `within` seconds.
        """
        end = None if within is None else time.monotonic() + within
        alike: dict[tuple[Question, Server | None], list[Server]] = {}
        for server in servers:
            key = self.question(server), server if server.is_name else None
            alike.setdefault(key, []).append(server)
        with ThreadPoolExecutor(min(_AT_ONCE, len(alike)), thread_name_prefix="lbkit-health") as pool:
            asked = [
                pool.submit(_named if name else _addressed, question, these, end)
                for (question, name), these in alike.items()
            ]
            return {server: outcome for each in asked for server, outcome in each.result().items()}

    def question(self, server: Server) -> Question:
        """The Host header, and the name that TLS asks for, are the server's own where the check says none."""
        check = self.check
        host = server.authority(_HTTPS if check.forces_tls else _HTTP) if check.is_http else ""
        tls = None
        if check.forces_tls:
            tls = ServerTls(self.ca, server.address.rstrip(".") if server.is_name else None)
        return question_of(check.model_copy(update={"port": None}), Traffic(tls=tls), host=host)


def authorities(file: Path) -> str:
    """The certificates (PEM) of a file. Mistake where it has none."""
    content, _ = read_given(file, "the certificates", most=_MOST)
    try:
        text = content.decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (UnicodeDecodeError, ssl.SSLError) as error:
        raise Mistake(
            f"{shown(file)} was to have certificates (PEM)",
            found=getattr(error, "reason", "") or "none that can be read",
        ) from error
    return text


def _addressed(question: Question, servers: Sequence[Server], end: float | None) -> dict[Server, Outcome]:
    found = _probed(question, [Target(each.address, each.port) for each in servers], end)
    return dict(zip(servers, found, strict=True))


def _named(question: Question, servers: Sequence[Server], end: float | None) -> dict[Server, Outcome]:
    (server,) = servers
    try:
        addresses = _looked_up(server)
    except OSError as error:
        words = f"its name cannot be looked up: {error.strerror or error}"
        return {server: Outcome(passed=False, code="", words=words, seconds=0.0)}
    found = _probed(question, [Target(address, server.port) for address in addresses], end)
    return {server: next((each for each in found if each.passed), found[0])}


def _probed(question: Question, targets: Sequence[Target], end: float | None) -> list[Outcome]:
    """`targets` are different ones."""
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
        return [NOT_ASKED] * len(targets)
    return list(probe(question, targets, sockets_here, within=left).values())


def _looked_up(server: Server) -> list[str]:
    """Addresses in the order in which clients of this host take them (RFC 6724)."""
    found = socket.getaddrinfo(server.address, server.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
