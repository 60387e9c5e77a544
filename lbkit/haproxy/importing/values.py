"""Times, sizes, names and addresses as haproxy.cfg has them, and as the language does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

_TIME = re.compile(r"([0-9]{1,12})(us|ms|s|m|h|d)?\Z", re.ASCII)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}
_SIZE = re.compile(r"([0-9]{1,12})([kmgKMG])?\Z", re.ASCII)
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def milliseconds(text: str, unit: str = "ms") -> int | None:
    """`unit`: of a number without one (configuration manual, 2.5). None where it is no time, or less than one."""
    match = _TIME.match(text)
    return round(int(match[1]) * _MILLISECONDS[match[2] or unit]) if match else None


def duration(ms: int) -> str:
    """As the language writes it: in the largest unit that needs no fraction."""
    return next(f"{ms // size}{unit}" for unit, size in _UNITS if ms % size == 0)


def size(text: str) -> int | None:
    match = _SIZE.match(text)
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[(match[2] or "").lower()] if match else None


def whole(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,12}", text, re.ASCII) else None


@dataclass(slots=True)
class Names:
    """Names of one kind as labels. The same names in the same order always become the same labels."""

    labels: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        made, names = cls(), list(names)
        unchanged = {name for name in names if _label(name) == name}
        for name in names:
            made.labels.setdefault(name, name if name in unchanged else made.free(_label(name), unchanged))
        return made

    def free(self, label: str, others: Iterable[str] = ()) -> str:
        taken = {*self.labels.values(), *others}
        found, number = label, 1
        while found in taken:
            number += 1
            found = f"{label[: 62 - len(str(number))].rstrip('-')}-{number}"
        return found

    def add(self, name: str) -> str:
        if name not in self.labels:
            self.labels[name] = self.free(_label(name))
        return self.labels[name]

    def __getitem__(self, name: str) -> str:
        return self.labels[name]

    def __contains__(self, name: str) -> bool:
        return name in self.labels

    @property
    def changed(self) -> dict[str, str]:
        return {name: label for name, label in self.labels.items() if name != label}


def _label(name: str) -> str:
    plain = re.sub("[^a-z0-9-]+", "-", name.lower()).strip("-")
    return plain[:63].rstrip("-") or "x"


@dataclass(frozen=True, slots=True)
class Place:
    """An address with ports. `host` is "" for all of IPv4 (`:80`, `*:80`), an address, or a name. `last`: of a range."""

    host: str
    port: int | None = None
    last: int | None = None

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        try:
            return ip_address(self.host)
        except ValueError:
            return None


_MOST_PORT = 65535
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z", re.ASCII)
_OTHER = re.compile(r"(unix|abns|abnsz|fd|sockpair|udp[46]?|quic[46]?|rhttp|mptcp[46]?|stream|dgram)[@+]")


def place(text: str, *, port: bool) -> Place | None:
    """None for what is no place of TCP. `port`: one must be there (configuration manual, 11.1 and 4.2 "bind")."""
    text = re.sub(r"^(tcp@|ipv[46]@|tcp[46]@)", "", text)
    if not text or text.startswith("/") or _OTHER.match(text) or "$" in text:
        return None
    host, colon, ports = text.rpartition(":")
    if text.startswith("[") and "]" in text:
        host, _, rest = text[1:].partition("]")
        colon, ports = rest[:1], rest[1:]
    elif not colon:
        host, ports = text, ""
    if not ports:
        return None if port else Place(host)
    match = _PORTS.match(ports)
    if match is None or not all(1 <= int(number) <= _MOST_PORT for number in match.groups() if number):
        return None
    return Place("" if host == "*" else host, int(match[1]), int(match[2]) if match[2] else None)
