"""What came of asking a server: the short names are HAProxy's (management guide, 9.1, `check_status`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Target(NamedTuple):
    """Where a server is asked. `address` is IPv4 or IPv6, as text."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`code` is one of L4OK, L4CON, L4TOUT, L6OK, L6RSP, L6TOUT, L7OK, L7RSP, L7STS, L7TOUT, SOCKERR."""

    code: str
    words: str

    @property
    def passed(self) -> bool:
        return self.code.endswith("OK")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, and how long it took. `code` is "" where nobody was asked: time was up before."""

    passed: bool
    code: str
    words: str
    seconds: float


NOT_ASKED = Outcome(passed=False, code="", words="it was not asked: the time was up before", seconds=0.0)
