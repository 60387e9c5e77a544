"""Servers as a person names them: an address or a DNS name, and a port."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from lbkit.base.errors import Mistake

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?", re.ASCII)
_HOW = "write 10.80.1.2:80, [fd00::1]:80 or www.example.org:80; the port may stand in `port`"
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """`address` is IPv4, IPv6 or a DNS name."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def is_name(self) -> bool:
        return _literal(self.address) is None

    def authority(self, usual: int) -> str:
        """As a Host header says it: with the port where that is not the `usual` one (RFC 9110, 7.2), and without a zone (RFC 6874)."""
        text = str(Server(self.address.partition("%")[0], self.port))
        return text.rpartition(":")[0] if self.port == usual else text


def servers_of(texts: Iterable[str], port: int | None = None) -> tuple[Server, ...]:
    """Of "ADDRESS", "ADDRESS:PORT" and "[IPv6]:PORT"; `port` is that of those without. Each once. Mistake."""
    return tuple(dict.fromkeys(_server(text, port) for text in texts))


def _server(text: str, port: int | None) -> Server:
    if (address := _literal(text)) is not None:
        return Server(address, _port(text, port))
    host, colon, digits = text.rpartition(":")
    if not colon:
        host = text
    elif digits.isascii() and digits.isdigit():
        port = int(digits)
    else:
        raise _wrong(text)
    if host.startswith("[") and host.endswith("]"):
        inside = _literal(host[1:-1])
        if inside is None or ":" not in inside:
            raise _wrong(text)
        return Server(inside, _port(text, port))
    if (address := _literal(host)) is not None and ":" not in address:
        return Server(address, _port(text, port))
    if not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
        raise _wrong(text)
    return Server(host, _port(text, port))


def _literal(text: str) -> str | None:
    """An IP address in its usual form, or None."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _port(text: str, port: int | None) -> int:
    if port is None or not 1 <= port <= _LAST_PORT:
        raise Mistake(
            f"{text!r} was to have a port from 1 to {_LAST_PORT}",
            found="none" if port is None else str(port),
            remedy=_HOW,
        )
    return port


def _wrong(text: str) -> Mistake:
    return Mistake(
        "a server was to be named by its address, or its DNS name", found=repr(text)[:200], remedy=_HOW
    )
