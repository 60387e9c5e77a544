"""A server as far as a running HAProxy tells of it: what is compared, and what can be changed at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from lbkit.haproxy.runtime.servers_state import Admin as Flag
from lbkit.haproxy.runtime.servers_state import Check, OpState, ServerState
from lbkit.haproxy.runtime.stat import Told

Admin = Literal["ready", "drain", "maint"]

_READABLE = {
    "weight": 1,
    "maxconn": 1,
    "cookie": 1,
    "id": 1,
    "port": 1,
    "agent-port": 1,
    "backup": 0,
    "disabled": 0,
    "check": 0,
    "no-check": 0,
}
"""Words of a `server` line that `show servers state` and `show stat` tell again, and how many values each takes."""


_NUMBERS = {"maxconn": "maxconn", "id": "ident", "port": "check_port", "agent-port": "agent_port"}


@dataclass(frozen=True, slots=True)
class Server:
    """`address` and `port` as HAProxy has them, the name of one that a resolver looks up.

    `weight` None: an agent sets it. `maxconn` 0: none. `checked`: its health check runs. `ident`: its number, where
    the configuration gives it one (consistent hashing places servers by it), else 0. `check_port` 0: its own.
    `asked`: its agent is asked, who then may drain it too. `unproven`: in drain, and up without a check that has passed,
    as it comes out of maintenance: out of drain it would serve at once.
    """

    address: str
    port: int
    weight: int | None = 1
    backup: bool = False
    maxconn: int = 0
    cookie: str = ""
    admin: Admin = "ready"
    checked: bool = False
    ident: int = 0
    check_port: int = 0
    agent_port: int = 0
    asked: bool = False
    unproven: bool = False

    def __str__(self) -> str:
        said = [self.place, f"weight {'by agent' if self.weight is None else self.weight}"]
        if self.backup:
            said.append("backup")
        if self.maxconn:
            said.append(f"maxconn {self.maxconn}")
        if self.cookie:
            said.append(f"cookie {self.cookie}")
        if self.ident:
            said.append(f"id {self.ident}")
        said.append(self.admin)
        if self.checked:
            said.append("checked")
        if self.check_port:
            said.append(f"port {self.check_port}")
        if self.agent_port:
            said.append(f"agent-port {self.agent_port}")
        if self.asked:
            said.append("asked")
        if self.unproven:
            said.append("unproven")
        return " ".join(said)

    def with_(self, **changes: Any) -> Server:
        return replace(self, **changes)

    @property
    def place(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Server:
        """Back from `str()`."""
        place, *words = text.split()
        address, _, port = place.rpartition(":")
        fields: dict[str, Any] = {}
        rest = iter(words)
        for word in rest:
            if word == "weight":
                value = next(rest)
                fields["weight"] = None if value == "by" else int(value)
            elif word in _NUMBERS:
                fields[_NUMBERS[word]] = int(next(rest))
            elif word == "cookie":
                fields["cookie"] = next(rest)
            elif word in {"backup", "checked", "asked", "unproven"}:
                fields[word] = True
            elif word in {"ready", "drain", "maint"}:
                fields["admin"] = word
        return cls(address.strip("[]"), int(port), **fields)

    @classmethod
    def of_line(cls, words: Sequence[str], defaults: Sequence[str]) -> Server:
        """From the words of a `server` line after its name, and those of its backend's `default-server`."""
        place, *rest = words
        address, _, port = place.rpartition(":")
        return cls(address.strip("[]"), int(port), *_settings(tuple(rest), tuple(defaults)))

    @classmethod
    def running(
        cls, state: ServerState, row: Told | None, *, agent: bool, numbered: bool = False, rise: int = 2
    ) -> Server:
        """What the process says. `agent`: whether its backend has one; `numbered`: whether its file numbers it; `rise`:
        checks that bring its servers up, at which the count is where maintenance has just ended. (The result of the
        last check tells less: it is none while the next one is under way, and stays through maintenance.)
        """
        asked = agent and _enabled(state.agent)
        admin = _admin(state.admin, asked=asked)
        return cls(
            state.fqdn or state.address,
            state.port,
            None if agent else state.weight,
            row.backup if row else False,
            (row.limit or 0) if row else 0,
            row.cookie if row else "",
            admin,
            _enabled(state.check),
            state.server_id if numbered else 0,
            state.check_port if state.check else 0,
            state.agent_port if agent else 0,
            asked,
            admin == "drain"
            and Check.ENABLED in state.check
            and state.op_state is not OpState.STOPPED
            and state.health <= rise,
        )


def own_words(words: Sequence[str]) -> tuple[str, ...]:
    """Those words of a `server` line (after its name) that nothing reads back from a running process."""
    rest = iter(words[1:])
    found = []
    for word in rest:
        if word in _READABLE:
            for _ in range(_READABLE[word]):
                next(rest, None)
        else:
            found.append(word)
    return tuple(found)


# Of thousands of servers most have the same settings and states: each is thought about once.


@lru_cache(maxsize=4096)
def _settings(
    words: tuple[str, ...], defaults: tuple[str, ...]
) -> tuple[int | None, bool, int, str, Admin, bool, int, int, int, bool]:
    """All of a Server but its address and port; the words of its line after these, and of `default-server`."""
    own = _values(words)
    shared = _values(defaults)
    admin: Admin = "maint" if "disabled" in own else "ready"
    checked = ("check" in own or "check" in defaults) and "no-check" not in own
    agent = "agent-check" in defaults
    return (
        None if agent else int(own.get("weight", shared.get("weight", "1"))),
        "backup" in own,
        int(own.get("maxconn", shared.get("maxconn", "0"))),
        own.get("cookie", ""),
        admin,
        checked,
        int(own.get("id", "0")),
        int(own.get("port", "0")) if checked else 0,
        int(own.get("agent-port", "0")) if agent else 0,
        agent and admin == "ready",
    )


@lru_cache(maxsize=256)
def _admin(flags: Flag, *, asked: bool) -> Admin:
    # not inherited, and not for want of a name; that the file said `disabled` once (4) is no state
    if Flag.FORCED_MAINT in flags:
        return "maint"
    # an agent's drain looks like a person's
    return "drain" if Flag.FORCED_DRAIN in flags and not asked else "ready"


@lru_cache(maxsize=256)
def _enabled(check: Check) -> bool:
    return bool(check & Check.ENABLED)


def _values(words: Sequence[str]) -> dict[str, str]:
    rest = iter(words)
    return {word: next(rest, "") if _READABLE.get(word) else "" for word in rest}
