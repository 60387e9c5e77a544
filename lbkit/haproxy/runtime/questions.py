"""What can be asked of a running HAProxy: the command, and the parser of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lbkit.haproxy.runtime import certificates as tls
from lbkit.haproxy.runtime import crt_list as crt
from lbkit.haproxy.runtime import info, patterns, servers_state, stat
from lbkit.haproxy.runtime import table as sticky
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.commands import show
from lbkit.haproxy.runtime.failure import RuntimeFailure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    command: Command
    parse: Callable[[str], T]

    def answer(self, reply: str, where: str = "") -> T:
        try:
            return self.parse(reply)
        except (KeyError, ValueError, IndexError) as error:
            raise RuntimeFailure(str(self.command), f"a reply without {_what(error)}", where) from error


def _what(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200] or "an end"


INFO: Question[info.Info] = Question(show.info(), info.parse_info)
STAT: Question[list[stat.Row]] = Question(show.stat(), lambda text: list(stat.parse_stat(text)))
SERVERS: Question[list[servers_state.ServerState]] = Question(
    show.servers_state(), lambda text: list(servers_state.parse_servers_state(text))
)
STATE_FILE: Question[str] = Question(show.servers_state(), servers_state.checked_state)
MAPS: Question[list[patterns.PatternList]] = Question(show.maps(), patterns.parse_lists)
ACLS: Question[list[patterns.PatternList]] = Question(show.acls(), patterns.parse_lists)
CERTIFICATES: Question[tls.Certificates] = Question(show.certs(), tls.parse_certificates)
CRT_LISTS: Question[list[str]] = Question(show.crt_lists(), str.splitlines)


def servers_of(backend: str) -> Question[list[servers_state.ServerState]]:
    return Question(show.servers_state(backend), SERVERS.parse)


def map_entries(file: str, *, version: int | None = None) -> Question[list[patterns.Entry]]:
    return Question(show.map_entries(file, version=version), lambda text: list(patterns.parse_entries(text)))


def acl_entries(file: str, *, version: int | None = None) -> Question[list[patterns.Entry]]:
    return Question(
        show.acl_entries(file, version=version), lambda text: list(patterns.parse_entries(text, keys=False))
    )


def certificate(file: str, *, pending: bool = False) -> Question[tls.Certificate]:
    """The certificate that serves; or, `pending`, that of the transaction not committed yet."""
    return Question(show.cert(file, pending=pending), tls.parse_certificate)


def crt_list(file: str) -> Question[list[crt.CrtLine]]:
    return Question(show.crt_list(file), lambda text: list(crt.parse_crt_list(text)))


def table(proxy: str) -> Question[sticky.Table]:
    return Question(show.table(proxy), sticky.parse_table)
