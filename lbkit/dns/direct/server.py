"""A zone by the address of its server, and the key that it knows."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.dns.client import Client
from lbkit.dns.direct.forms import reading, zone_of
from lbkit.dns.errors import Unreachable
from lbkit.dns.names import zone_name
from lbkit.dns.resolved import KeySource, ResolvedServer
from lbkit.dns.tsig import TsigKey, key_of, read_key

PATIENCE = 5.0  # seconds to connect
ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")


@dataclass(frozen=True, slots=True)
class ZoneServer:
    """The primary of `zone`. `server` is an address or a host's name. `key` None: nothing is signed."""

    server: str
    zone: str
    port: int = 53
    key: TsigKey | None = field(default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", _named(zone_of, self.zone, "the name of a zone"))
        if not 0 < self.port <= 65535:
            raise Mistake("a port from 1 to 65535", found=repr(self.port), where="port")
        if not self.server or "\0" in self.server:
            raise Mistake(
                "the address or name of the zone's primary", found=repr(self.server), where="server"
            )

    def client(self) -> Client:
        """Connected. Raises Unreachable where nobody listens."""
        return self._connected(self.server, self.port, self.key)

    def serial(self, server: ResolvedServer) -> int:
        """What that one serves to anybody."""
        with self._connected(str(server.address), server.port, None) as asked:
            return asked.serial()

    def _connected(self, server: str, port: int, key: TsigKey | None) -> Client:
        place = f"{server} port {port}"
        try:
            connection = socket.create_connection((server, port), PATIENCE)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver can be asked for
            found = getattr(error, "strerror", None) or str(error) or f"no answer in {PATIENCE:g} s"
            raise Unreachable(self.zone, place, found) from error
        return Client(connection, self.zone, place, key, reading)


def tsig_key(
    name: str,
    *,
    algorithm: str = "hmac-sha256",
    secret_file: Path | None = None,
    secret: str | None = None,
) -> TsigKey:
    """From one of a file that its owner alone can read and the secret itself: base64, or a key clause of BIND. Raises Mistake."""
    if algorithm not in ALGORITHMS:
        raise Mistake(
            f"an algorithm of {', '.join(ALGORITHMS)}", found=repr(algorithm), where="key.algorithm"
        )
    if (secret_file is None) == (secret is None):
        found = "neither" if secret is None else "both"
        raise Mistake("either the secret or its file", found=found, where="key")
    source = KeySource(_named(zone_name, name, "the name of a TSIG key"), algorithm, file=secret_file)
    if secret is None:
        return read_key(source)
    return key_of(
        source, secret, "key.secret", "give it as the server has it; `lbkit keygen FILE` makes a new one"
    )


def secondary(text: str, port: int) -> ResolvedServer:
    """`192.0.2.54`, `192.0.2.54:5353`, `2001:db8::54` or `[2001:db8::54]:5353`; by default at `port`. Raises Mistake."""
    host, given = text, str(port)
    if text.startswith("[") and text.endswith("]"):
        host = text[1:-1]
    elif text.startswith("["):
        host, _, given = text[1:].partition("]:")
    elif text.count(":") == 1:
        host, _, given = text.partition(":")
    try:
        number = int(given) if given.isascii() and given.isdecimal() else 0
        if not 0 < number <= 65535:
            raise ValueError("a port from 1 to 65535")  # noqa: TRY301 - one way out
        return ResolvedServer(ip_address(host), number)
    except ValueError:
        raise Mistake(
            "the address of a server, such as 192.0.2.54 or [2001:db8::54]:5353",
            found=repr(text),
            where="wait_for",
        ) from None


def _named(form: Callable[[str], str], text: str, what: str) -> str:
    try:
        return form(text)
    except ValueError as error:
        raise Mistake(f"{what}: {error}", found=repr(text)) from None
