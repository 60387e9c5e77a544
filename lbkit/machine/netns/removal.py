"""Take machines away: what runs in them first, then their files, then their namespaces and links. In bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lbkit.base.host import Host
from lbkit.machine.netns import folder
from lbkit.machine.netns.machine import network_identity
from lbkit.machine.netns.place import Place, machine_folder
from lbkit.machine.netns.proc import every_stat, network_of
from lbkit.machine.netns.record import Record, alive, names_in, read_record
from lbkit.machine.netns.stop import Identity, stop
from lbkit.network import links

_TIMEOUT = 10.0  # seconds for strays, of which no record says how long they may take


def remove(host: Host, topology: str, members: Mapping[str, str]) -> dict[str, str]:
    """Remove machines (`members` by namespace) and say of each what was done.

    Killed at any point, what is left still shows whose it is: the namespace goes last.
    """
    records = [record for _, record in _records(host, topology, members)]
    timeout = max((record.program.stop_timeout for record in records), default=0.0)

    def recorded() -> Iterable[Identity]:
        for place, record in _records(host, topology, members):
            if alive(place, record, network_identity(host, topology, place.member)):
                yield record.pid, record.start_time

    prefixes = tuple(f"{topology}/{member}/" for member in members.values())
    names = sorted(members.values())
    stop(
        recorded,
        lambda mark: mark.startswith(prefixes),
        host.clock,
        timeout=max(timeout, _TIMEOUT),
        where=f"machines {', '.join(names[:5])}{', …' if len(names) > 5 else ''}",
    )
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


def _records(host: Host, topology: str, members: Mapping[str, str]) -> Iterable[tuple[Place, Record]]:
    suffix = ".process.json"
    for member in members.values():
        for entry in names_in(machine_folder(host, topology, member)):
            if entry.endswith(suffix) and not entry.startswith("."):
                place = Place.of(host, topology, member, entry.removesuffix(suffix))
                if (record := read_record(place)) is not None:
                    yield place, record


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
