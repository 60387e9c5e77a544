"""What one conversation with a server needs of its health check. Goes into guests: the standard library alone.

`asking.question_of` makes it of a check as it is declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerTls:
    """`ca`: PEM of who must have signed the server's certificate; None: anyone.

    `name`: what TLS asks for (SNI), and what the certificate must be for where there is a `ca`; None: neither.
    """

    ca: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """By default: whether it accepts connections.

    `port`: asked instead of the target's. `tls` None: none is spoken. `proxy_protocol`: the version of the line that
    a connection begins with, 0: none. `method`: of the HTTP request; "": no HTTP is spoken. `status`: ranges of good
    codes, both ends included. `body` and `body_regex` are looked for in the body, `answer` and `answer_regex` in what
    is said without HTTP.
    """

    port: int | None = None
    connect_within: float = 2.0  # seconds, TLS included
    answer_within: float = 1.0
    tls: ServerTls | None = None
    proxy_protocol: int = 0
    request: bytes = b""
    method: str = ""
    status: tuple[tuple[int, int], ...] = ()
    body: str | None = None
    body_regex: str | None = None
    answer: bytes | None = None
    answer_regex: str | None = None

    @property
    def listens(self) -> bool:
        return bool(self.method) or self.answer is not None or self.answer_regex is not None

    @property
    def is_silent(self) -> bool:
        """Whether all that is asked is a connection."""
        return not (self.tls or self.request or self.listens or self.proxy_protocol)

    def accepts(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self.status)

    def as_data(self) -> dict[str, Any]:
        """As JSON; octets as hexadecimal digits."""
        octets = {"request": self.request.hex(), "answer": None if self.answer is None else self.answer.hex()}
        return asdict(self) | {"status": [list(each) for each in self.status]} | octets

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Question:
        made = dict(data)
        return cls(
            **made
            | {
                "tls": None if made["tls"] is None else ServerTls(**made["tls"]),
                "status": tuple((first, last) for first, last in made["status"]),
                "request": bytes.fromhex(made["request"]),
                "answer": None if made["answer"] is None else bytes.fromhex(made["answer"]),
            }
        )
