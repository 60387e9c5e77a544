"""What a person wants of a backend's servers, or of one of them, at run time. Checked before anything is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from lbkit.base.errors import Mistake
from lbkit.haproxy.transition.server import Admin

OnDeadline = Literal["fail", "maint", "leave", "cut"]
MOST_WEIGHT = 256  # configuration manual, 5.2
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_SHARE = re.compile(r"(\d{1,3})%", re.ASCII)
_WORD = re.compile(r"[!-~]+")
_OWN = frozenset({"weight", "maxconn", "check", "no-check", "disabled"})
"""Words of a server that have an option of their own."""


@dataclass(frozen=True, slots=True)
class ListedServer:
    """One server of a list. What is None is left as it is; of one that is added it is HAProxy's own default.

    `weight` from 0 to 256, `maxconn` 0: no limit. `options`: further words as on a `server` line, each with its values
    ("inter 2s"), for `add server` alone: nobody can ask a running HAProxy for them.
    """

    name: str
    address: str
    port: int
    weight: int | None = None
    maxconn: int | None = None
    state: Admin | None = None
    check: bool | None = None
    options: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for option in self.options for word in option.split())


@dataclass(frozen=True, slots=True)
class WantedBackend:
    """`exclusive`: servers that are not listed go. `drain_timeout`: seconds that their sessions get, `up_timeout`: that
    checks of new ones get. `state_file`: where the state of all servers is written afterwards, on this machine.
    """

    backend: str
    servers: tuple[ListedServer, ...]
    exclusive: bool = False
    drain_timeout: float = 30.0
    up_timeout: float = 15.0
    state_file: str | None = None

    def __post_init__(self) -> None:
        _raise(list(self._problems()))

    def _problems(self) -> Iterator[str]:
        yield from _name("backend", self.backend)
        yield from _seconds("drain_timeout", self.drain_timeout)
        yield from _seconds("up_timeout", self.up_timeout)
        names = Counter(server.name for server in self.servers)
        yield from (f"{count} servers {name}" for name, count in names.items() if count > 1)
        for server in self.servers:
            yield from (f"server {server.name}: {problem}" for problem in _of_listed(server))


@dataclass(frozen=True, slots=True)
class WantedServer:
    """One server that is there, or with `backend` None those of that name in all backends. What is None is left as it is.

    `weight` from 0 to 256, or as "50%" of the weight that it began with. With `wait_for_drain` a server that goes to
    drain or maintenance gets `drain_timeout` seconds for its sessions to end. `on_deadline` says what becomes of it
    when some are left: "fail" leaves it drained and fails, "maint" puts it in maintenance, "leave" leaves it drained
    (not where maintenance is wanted), "cut" cuts them. None: "maint" where maintenance is wanted, else "fail".
    `check` and `agent`: whether its health check runs, and whether its agent is asked. `cut_sessions`: at once.
    `wait_for_up`: its checks have passed after `up_timeout` seconds, or it fails; without it that is a note.
    """

    backend: str | None
    name: str
    state: Admin | None = None
    weight: int | str | None = None
    address: str | None = None
    port: int | None = None
    wait_for_drain: bool = False
    drain_timeout: float = 30.0
    on_deadline: OnDeadline | None = None
    up_timeout: float = 15.0
    check: bool | None = None
    agent: bool | None = None
    cut_sessions: bool = False
    wait_for_up: bool = False

    def __post_init__(self) -> None:
        _raise(list(self._problems()))

    @property
    def at_deadline(self) -> OnDeadline:
        return self.on_deadline or ("maint" if self.state == "maint" else "fail")

    @property
    def cuts(self) -> bool:
        """Whether it has no session afterwards, whatever these are about."""
        return self.cut_sessions or (self.wait_for_drain and self.on_deadline == "cut")

    def weight_of(self, initial: int) -> int | None:
        """`initial`: the weight that the server began with."""
        if self.weight is None:
            return None
        share = _SHARE.fullmatch(str(self.weight))
        if share is None:
            return int(self.weight)
        least = min(1, initial * int(share[1]))  # weight 0 is another thing than a small one
        return max(least, min(initial * int(share[1]) // 100, MOST_WEIGHT))

    def _problems(self) -> Iterator[str]:
        if self.backend is not None:
            yield from _name("backend", self.backend)
        yield from _name("server", self.name)
        yield from _seconds("drain_timeout", self.drain_timeout)
        yield from _seconds("up_timeout", self.up_timeout)
        if self.weight is not None and not _SHARE.fullmatch(str(self.weight)):
            yield from _whole("weight", self.weight, 0, MOST_WEIGHT)
        yield from _state(self.state)
        if self.address is not None:
            yield from _address(self.address)
        if self.port is not None:
            yield from _whole("port", self.port, 1, 65535)
        if self.on_deadline == "leave" and self.state == "maint":
            yield "on_deadline leave, and state maint: it cannot be left out of maintenance then"
        if self.wait_for_drain and self.state not in {"drain", "maint"}:
            yield "wait_for_drain without state drain or maint: nobody drains it"
        if self.wait_for_drain and not self.drain_timeout:
            yield "wait_for_drain with a drain_timeout of 0: that is not to wait"
        if self.on_deadline == "cut" and not self.wait_for_drain:
            yield "on_deadline cut without wait_for_drain: cut_sessions cuts at once"
        if self.cut_sessions and self.wait_for_drain:
            yield "cut_sessions and wait_for_drain: on_deadline cut waits first"
        if self.cut_sessions and self.state not in {"drain", "maint"}:
            yield "cut_sessions without state drain or maint: it would get new ones at once"
        if self.wait_for_up and self.state != "ready":
            yield "wait_for_up without state ready: it would wait for nothing"
        if self.wait_for_up and not self.up_timeout:
            yield "wait_for_up with an up_timeout of 0: that is not to wait"
        if self.agent and self.state in {"drain", "maint"}:
            yield f"agent on, and state {self.state}: an agent that says `ready` ends that"


def plain(address: str) -> str:
    """An address as HAProxy says it."""
    return str(ip_address(address))


def _of_listed(server: ListedServer) -> Iterator[str]:
    yield from _name("name", server.name)
    yield from _address(server.address)
    yield from _whole("port", server.port, 1, 65535)
    if server.weight is not None:
        yield from _whole("weight", server.weight, 0, MOST_WEIGHT)
    if server.maxconn is not None:
        yield from _whole("maxconn", server.maxconn, 0, 2**31 - 1)
    yield from _state(server.state)
    for word in server.words:
        if not _WORD.fullmatch(word) or any(letter in word for letter in "\"'\\;#<"):
            yield f"options has {word!a}, which is no word of a server"
        if word in _OWN:
            yield f"options has {word!r}, which is an option of its own" + (
                ": state maint" if word == "disabled" else ""
            )


def _name(what: str, value: str) -> Iterator[str]:
    if not _NAME.fullmatch(value):
        yield f"{what} {value!a}, where a name is letters, digits and -_.:"


def _address(value: str) -> Iterator[str]:
    if not _is_address(value):
        yield f"address {value!a}, where one of IPv4 or IPv6 was wanted: names are looked up at a reload alone"


def _is_address(value: str) -> bool:
    try:
        return "%" not in str(ip_address(value))
    except ValueError:
        return False


def _whole(what: str, value: object, least: int, most: int) -> Iterator[str]:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        yield f"{what} {value}, where it is from {least} to {most}"


def _state(value: str | None) -> Iterator[str]:
    if value not in {None, "ready", "drain", "maint"}:
        yield f"state {value!a}, where it is ready, drain or maint"


def _seconds(what: str, value: float) -> Iterator[str]:
    if not 0 <= value < float("inf"):
        yield f"{what} {value:g}, where seconds from 0 on were wanted"


def _raise(problems: list[str]) -> None:
    if problems:
        raise Mistake(
            "what is asked of a server was to be what HAProxy can do",
            found="; ".join(problems[:10]) + (f"; and {len(problems) - 10} more" if problems[10:] else ""),
            remedy="mend what is listed; nothing was touched",
        )
