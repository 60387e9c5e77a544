"""Stop in bulk what runs in machines, with one look at /proc for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from lbkit.base.host import Host
from lbkit.machine.local.network import NetworkIdentity
from lbkit.machine.local.place import Place, machine_folder
from lbkit.machine.local.proc import every_stat, network_of
from lbkit.machine.local.record import Record, alive, forget, names_in, read_record
from lbkit.machine.local.stop import Identity, stop

T = TypeVar("T")

IdentityOf = Callable[[str], NetworkIdentity]
"""By a machine's name, its network."""

_AT_ONCE = 200  # services or machines; a service may be several processes
_TIMEOUT = 10.0  # seconds for strays, of which no record says how long they may take


def stop_machines(
    host: Host, topology: str, members: Sequence[str], identity: IdentityOf, *, timeout: float | None = None
) -> None:
    """All that was ever started in them, and strays of it. `timeout`: seconds for it; None: as each was started with."""
    for some in _parts(members):
        prefixes = tuple(f"{topology}/{member}/" for member in some)
        places = partial(_all_places, host, topology, some)
        _stop(host, places, _starting(prefixes), _some("machine", some), identity, timeout)


def stop_programs(
    host: Host, topology: str, programs: Sequence[tuple[str, str]], identity: IdentityOf
) -> None:
    """All at the same time, each named by member and program."""
    for some in _parts([Place.of(host, topology, member, name) for member, name in programs]):
        where = _some("service", (f"{place.member}/{place.service}" for place in some))
        _stop(host, some.copy, {place.mark for place in some}.__contains__, where, identity)
        for place in some:
            forget(place)


def _parts(names: Sequence[T]) -> Iterator[list[T]]:
    """So many at a time that a descriptor for each of their processes stays below the usual limit, 1,024."""
    for start in range(0, len(names), _AT_ONCE):
        yield list(names[start : start + _AT_ONCE])


def _starting(prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda mark: mark.startswith(prefixes)


def _stop(
    host: Host,
    places: Callable[[], Iterable[Place]],
    marked: Callable[[str], bool],
    where: str,
    identity: IdentityOf,
    timeout: float | None = None,
) -> None:
    def records() -> Iterable[tuple[Place, Record]]:
        for place in places():
            if (record := read_record(place)) is not None:
                yield place, record

    def recorded() -> Iterable[Identity]:
        for place, record in records():
            if alive(place, record, identity(place.member)):
                yield record.pid, record.start_time

    if timeout is None:
        timeout = max((record.program.stop_timeout for _, record in records()), default=_TIMEOUT)
    stop(recorded, marked, host.clock, timeout=timeout, where=where)


def _all_places(host: Host, topology: str, members: Iterable[str]) -> Iterable[Place]:
    """Of all that was ever started in the machines."""
    suffix = ".process.json"
    for member in members:
        for entry in names_in(machine_folder(host, topology, member)):
            if entry.endswith(suffix) and not entry.startswith("."):
                yield Place.of(host, topology, member, entry.removesuffix(suffix))


def _some(noun: str, names: Iterable[str]) -> str:
    known = sorted(names)
    return f"{noun}{'' if len(known) == 1 else 's'} {', '.join(known[:5])}{', …' if len(known) > 5 else ''}"


def who_is_in(networks: Mapping[NetworkIdentity, str]) -> dict[str, list[str]]:
    """Every process that runs in one of the networks, by what that is called."""
    named = {identity: name for identity, name in networks.items() if identity is not None}
    found: dict[str, list[str]] = {}
    if named:
        for stat in every_stat():
            inside = network_of(stat.pid)
            if inside is not None and inside in named:
                found.setdefault(named[inside], []).append(f"pid {stat.pid} ({_name(stat.pid)})")
    return found


def _name(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "ended"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
