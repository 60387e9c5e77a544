"""What can be asked of a running HAProxy: the command, and the parser of its answer.

The parsers of what few runs ask for are imported when an answer is there.
"""

# ruff: noqa: PLC0415 - late imports, as said above

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from lbkit.haproxy.runtime import show
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.failure import RuntimeFailure
from lbkit.haproxy.runtime.info import Info, parse_info
from lbkit.haproxy.runtime.servers_state import ServerState, checked_state, parse_servers_state
from lbkit.haproxy.runtime.stat import Row, Settings, parse_settings, parse_stat

if TYPE_CHECKING:
    from lbkit.haproxy.runtime.certificates import Certificate, Certificates
    from lbkit.haproxy.runtime.crt_list import CrtLine
    from lbkit.haproxy.runtime.patterns import Entry, PatternList
    from lbkit.haproxy.runtime.table import Table

T = TypeVar("T")


class Question(Generic[T]):
    def __init__(self, command: Command, parse: Callable[[str], T]) -> None:
        self.command = command
        self.parse = parse

    def answer(self, reply: str, where: str = "") -> T:
        """The reply as data. One of another form is a RuntimeFailure that says what was not in it."""
        try:
            return self.parse(reply)
        except (KeyError, ValueError, IndexError) as error:
            raise RuntimeFailure(str(self.command), f"a reply without {_what(error)}", where) from error


def _what(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200] or "an end"


def _servers(text: str) -> list[ServerState]:
    return list(parse_servers_state(text))


def _lists(text: str) -> list[PatternList]:
    from lbkit.haproxy.runtime.patterns import parse_lists

    return parse_lists(text)


def _entries(text: str) -> list[Entry]:
    from lbkit.haproxy.runtime.patterns import parse_entries

    return list(parse_entries(text))


def _patterns(text: str) -> list[Entry]:
    from lbkit.haproxy.runtime.patterns import parse_entries

    return list(parse_entries(text, keys=False))


def _certificates(text: str) -> Certificates:
    from lbkit.haproxy.runtime.certificates import parse_certificates

    return parse_certificates(text)


def _certificate(text: str) -> Certificate:
    from lbkit.haproxy.runtime.certificates import parse_certificate

    return parse_certificate(text)


def _pending_authority(text: str) -> str:
    """Of "# transaction", then "*FILE - N certificate(s)"."""
    _, star, rest = text.partition("# transaction\n*")
    return rest.partition("\n")[0].rpartition(" - ")[0] if star else ""


def _fingerprints(text: str) -> frozenset[str]:
    lines = (line.partition(":") for line in text.splitlines())
    return frozenset(value.strip() for name, _, value in lines if name == "SHA1 FingerPrint")


def _crt_list(text: str) -> list[CrtLine]:
    from lbkit.haproxy.runtime.crt_list import parse_crt_list

    return list(parse_crt_list(text))


def _table(text: str) -> Table:
    from lbkit.haproxy.runtime.table import parse_table

    return parse_table(text)


INFO: Question[Info] = Question(show.info(), parse_info)
LEVEL: Question[str] = Question(show.level(), str.strip)
STAT: Question[list[Row]] = Question(show.stat(), lambda text: list(parse_stat(text)))
SETTINGS: Question[dict[tuple[str, str], Settings]] = Question(show.stat(), parse_settings)
SERVERS: Question[list[ServerState]] = Question(show.servers_state(), _servers)
STATE_FILE: Question[str] = Question(show.servers_state(), checked_state)
MAPS: Question[list[PatternList]] = Question(show.maps(), _lists)
ACLS: Question[list[PatternList]] = Question(show.acls(), _lists)
CERTIFICATES: Question[Certificates] = Question(show.certs(), _certificates)
PENDING_AUTHORITY: Question[str] = Question(show.ca_files(), _pending_authority)
CRT_LISTS: Question[list[str]] = Question(show.crt_lists(), str.splitlines)


def servers_of(backend: str) -> Question[list[ServerState]]:
    return Question(show.servers_state(backend), _servers)


def map_entries(file: str, *, version: int | None = None) -> Question[list[Entry]]:
    return Question(show.map_entries(file, version=version), _entries)


def acl_entries(file: str, *, version: int | None = None) -> Question[list[Entry]]:
    return Question(show.acl_entries(file, version=version), _patterns)


def certificate(file: str, *, pending: bool = False) -> Question[Certificate]:
    """The certificate that serves; or, `pending`, that of the transaction not committed yet."""
    return Question(show.cert(file, pending=pending), _certificate)


def authority(file: str) -> Question[frozenset[str]]:
    """The SHA-1 fingerprints of its certificates."""
    return Question(show.ca_file(file), _fingerprints)


def crt_list(file: str) -> Question[list[CrtLine]]:
    return Question(show.crt_list(file), _crt_list)


def table(proxy: str) -> Question[Table]:
    return Question(show.table(proxy), _table)
