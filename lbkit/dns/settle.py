"""After an update: every listed server serves the new serial, or an error names the one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.dns.client import Client
from lbkit.dns.edits import Unit
from lbkit.dns.errors import ServerFailure, Unreachable
from lbkit.dns.ownership import marked
from lbkit.dns.resolved import ResolvedServer

_PAUSE = 0.2  # seconds between questions: no server tells of a finished transfer by itself


class Lagging(Failure):
    """An update is done on the primary, but `servers` still serve the zone as it was."""

    def __init__(self, zone: str, settle: float, servers: dict[str, str]) -> None:
        self.zone = zone
        self.servers = tuple(servers)
        super().__init__(
            f"every server of the zone {zone} was to serve the update within {settle:g} s",
            found="; ".join(f"{server} {words}" for server, words in servers.items()),
            remedy="see that the primary notifies it (also-notify) and lets it transfer (allow-transfer); "
            "or raise `settle`",
        )


def at_least(serial: int, other: int) -> bool:
    """Whether `serial` is `other` or later, by the arithmetic of RFC 1982, section 3.2, on 32 bits."""
    return (serial - other) % 2**32 < 2**31


def wait_until_shown(primary: Client, unit: Unit, clock: Clock, settle: float) -> None:
    """Wait until the primary itself serves the last `unit` of an update, at most `settle` seconds. Raises Lagging.

    Most do when they accept it. One that signs the zone apart (inline-signing), or passes updates on to another
    primary (RFC 2136 section 6), does a little later. Asked for are the owner marks: they alone are answered as
    they stand, below a delegation too.
    """
    deadline = clock.monotonic() + settle
    for edit in unit.edits:
        while marked(edit.name) and (edit.add or edit.remove):
            served = primary.look_up(edit.name, edit.kind).values
            if served.issuperset(edit.add) and served.isdisjoint(edit.remove):
                break
            if clock.monotonic() >= deadline:
                words = {primary.server: f"still serves {edit.name} {edit.kind} as it was"}
                raise Lagging(primary.zone, settle, words)
            clock.sleep(_PAUSE)


def wait_until_served(
    zone: str,
    serial: int,
    servers: Iterable[ResolvedServer],
    ask: Callable[[ResolvedServer], int],
    clock: Clock,
    settle: float,
    *,
    all_stand: bool,
) -> None:
    """Ask each server for its serial until all serve `serial`, at most `settle` seconds. Raises Lagging.

    Unless `all_stand`, a machine of this topology at which nobody listens is passed over: it serves nothing.
    """
    deadline = clock.monotonic() + settle
    waiting = list(servers)
    while waiting:
        behind: dict[ResolvedServer, str] = {}
        for server in waiting:
            try:
                found = ask(server)
            except Unreachable as failure:
                if all_stand or server.machine is None:
                    behind[server] = f"does not answer ({failure.found})"
                continue
            except ServerFailure as failure:
                behind[server] = f"does not answer ({failure.found})"
                continue
            if not at_least(found, serial):
                behind[server] = f"serves serial {found}, not {serial}"
        if behind and clock.monotonic() >= deadline:
            raise Lagging(zone, settle, {str(server): words for server, words in behind.items()})
        waiting = list(behind)
        if waiting:
            clock.sleep(_PAUSE)
