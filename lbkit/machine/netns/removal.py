"""Take things away in bulk. Of machines: what runs in them first, then their files, then their namespaces and links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from lbkit.base.host import Host
from lbkit.machine.netns import folder
from lbkit.machine.netns.machine import network_identity
from lbkit.machine.netns.place import Place, machine_folder
from lbkit.machine.netns.proc import every_stat, network_of
from lbkit.machine.netns.record import Record, alive, forget, names_in, read_record
from lbkit.machine.netns.stop import Identity, stop
from lbkit.network import links

T = TypeVar("T")

_AT_ONCE = 200  # services or machines; a service may be several processes
_TIMEOUT = 10.0  # seconds for strays, of which no record says how long they may take


def remove(host: Host, topology: str, members: Mapping[str, str]) -> dict[str, str]:
    """Remove machines (`members` by namespace) and say of each what was done.

    Killed at any point, what is left still shows whose it is: the namespace goes last.
    """
    for some in _parts(list(members.values())):
        prefixes = tuple(f"{topology}/{member}/" for member in some)
        _stop(host, partial(_all_places, host, topology, some), _starting(prefixes), _some("machine", some))
    strangers = _strangers(host, topology, members)
    for member in members.values():
        folder.remove_tree(machine_folder(host, topology, member))
    words = dict.fromkeys(members, "its services stopped and files removed")

    def report(namespace: str, executed: str) -> None:
        words[namespace] += "; " + executed

    links.remove(host, topology, sorted(members), report)
    for namespace, names in strangers.items():
        words[namespace] += "; left running, as lbkit did not start them: " + ", ".join(names)
    return words


def stop_programs(host: Host, topology: str, programs: Sequence[tuple[str, str]]) -> None:
    """All at the same time, with one look at /proc for all of them."""
    for some in _parts([Place.of(host, topology, member, name) for member, name in programs]):
        where = _some("service", (f"{place.member}/{place.service}" for place in some))
        _stop(host, some.copy, {place.mark for place in some}.__contains__, where)
        for place in some:
            forget(place)


def _parts(names: list[T]) -> Iterator[list[T]]:
    """So many at a time that a descriptor for each of their processes stays below the usual limit, 1,024."""
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def _starting(prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda mark: mark.startswith(prefixes)


def _stop(
    host: Host, places: Callable[[], Iterable[Place]], marked: Callable[[str], bool], where: str
) -> None:
    def records() -> Iterable[tuple[Place, Record]]:
        for place in places():
            if (record := read_record(place)) is not None:
                yield place, record

    def recorded() -> Iterable[Identity]:
        for place, record in records():
            if alive(place, record, network_identity(host, place.topology, place.member)):
                yield record.pid, record.start_time

    timeouts = [record.program.stop_timeout for _, record in records()]
    stop(recorded, marked, host.clock, timeout=max(timeouts, default=_TIMEOUT), where=where)


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


def _strangers(host: Host, topology: str, members: Mapping[str, str]) -> dict[str, list[str]]:
    """By namespace, what still runs there: a person's shell, say. It keeps the namespace alive, nameless."""
    networks = {network_identity(host, topology, member): name for name, member in members.items()}
    networks.pop(None, None)
    found: dict[str, list[str]] = {}
    if networks:
        for stat in every_stat():
            if (namespace := networks.get(network_of(stat.pid))) is not None:
                found.setdefault(namespace, []).append(f"pid {stat.pid} ({_name(stat.pid)})")
    return found


def _name(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "ended"
    return "".join(letter if letter.isprintable() else "?" for letter in text)
