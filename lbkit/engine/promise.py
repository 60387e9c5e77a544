"""What clients of a topology may expect at any time, as rooms say it: what `apply(prove=True)` asks meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lbkit.engine.book import IPAddress


@dataclass(frozen=True, slots=True)
class Promise:
    """One address and port that answers, asked as a client does.

    mode "http": a GET of `path` gets a whole response, with a status from `expect[0]` to `expect[1]` (None: any
    but 400, 408, 502, 503 and 504, which a proxy says itself where something is amiss). mode "tcp": a connection is
    accepted and kept. `tls` is the server's name where TLS is spoken; certificates are not judged.
    `preamble` is sent first on each connection, before TLS (a header of the PROXY protocol).

    Clients stand on `network`; None: on one of `machines` alone (a loopback address). `machines` are those that
    answer: they are asked from as a last resort, for to ask oneself proves less.
    """

    name: str
    address: IPAddress
    port: int
    mode: Literal["http", "tcp"] = "http"
    network: str | None = None
    machines: tuple[str, ...] = ()
    host: str = ""
    path: str = "/"
    expect: tuple[int, int] | None = None
    download: str | None = None
    tls: str | None = None
    preamble: bytes = b""

    @property
    def place(self) -> str:
        address = self.address.compressed
        return f"[{address}]:{self.port}" if self.address.version == 6 else f"{address}:{self.port}"

    @property
    def host_header(self) -> str:
        if self.host:
            return self.host
        return f"[{self.address.compressed}]" if self.address.version == 6 else self.address.compressed

    def __str__(self) -> str:
        return f"{self.name} {self.place}"
