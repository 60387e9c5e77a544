"""A topology of zones alone, made as the loader makes one, and a room over it: no other room takes part."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.dns.room import ROOM
from lbkit.dns.spec import Dns
from lbkit.engine.applying import Result, carry_out
from lbkit.engine.book import Book
from lbkit.engine.journal import Journal
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft, Scope
from lbkit.machine.resolved import Machines

from .named import ZONE


def key_file(
    folder: Path, name: str = "lbkit", algorithm: str = "hmac-sha256", file: str = "tsig.key"
) -> Path:
    path = folder / file
    if not path.exists():
        write_key(path, name, algorithm)
    return path


def drafted(
    section: dict[str, Any], folder: Path, *, name: str = "web", book: Book | None = None
) -> tuple[Any, Draft]:
    draft = Draft(name, folder, book or Book())
    draft.resolved["machine"] = Machines({}, {})
    return ROOM.resolve(Dns.model_validate(section), draft), draft


def scope_of(section: dict[str, Any], folder: Path, *, name: str = "web", book: Book | None = None) -> Scope:
    resolved, draft = drafted(section, folder, name=name, book=book)
    assert not draft.problems, list(draft.problems)
    return Scope(name, folder, "web.yml", {"dns": resolved, "machine": draft.resolved["machine"]}, draft.book)


def zone_section(
    *records: dict[str, Any], servers: Iterable[Any] = ("127.0.0.1",), **more: Any
) -> dict[str, Any]:
    zone = {
        "servers": list(servers),
        "tsig": {"name": "lbkit", "secret": {"file": "tsig.key"}},
        "settle": 5,
        "records": list(records),
        **more,
    }
    return {"zones": {ZONE: zone}}


def a(name: str, *values: str, kind: str = "A", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "values": list(values), **more}


def key(name: str, kind: str = "A") -> Key:
    return Key("rrset", f"{ZONE} {name} {kind}")


class World:
    """The DNS room on a host, driven as `operate` drives all rooms."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.folder = folder
        self.host = host

    def scope(self, *records: dict[str, Any], name: str = "web", **more: Any) -> Scope:
        return scope_of(zone_section(*records, **more), self.folder, name=name)

    def plan(self, scope: Scope, **more: Any) -> Plan:
        return make_plan([ROOM], scope, self.host, **more)

    def apply(self, scope: Scope, **more: Any) -> Result:
        journal = Journal(self.folder / "journal.jsonl", self.host.clock)
        return carry_out(self.plan(scope, **more), [ROOM], scope, self.host, journal=journal)
