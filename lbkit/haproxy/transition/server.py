"""A server as far as a running HAProxy tells of it: what is compared, and what can be changed at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lbkit.haproxy.runtime.servers_state import Admin as Flag
from lbkit.haproxy.runtime.servers_state import Check, ServerState
from lbkit.haproxy.runtime.stat import Row

Admin = Literal["ready", "drain", "maint"]

_READABLE = {
    "weight": 1,
    "maxconn": 1,
    "cookie": 1,
    "backup": 0,
    "disabled": 0,
    "check": 0,
    "no-check": 0,
    "id": 1,
}
"""Words of a `server` line that `show servers state` and `show stat` tell again, and how many values each takes."""


@dataclass(frozen=True, slots=True)
class Server:
    """`address` and `port` as HAProxy has them, the name of one that a resolver looks up.

    `weight` None: an agent sets it. `maxconn` 0: none. `checked`: its health check runs. `ident`: its number, where
    the configuration gives it one (consistent hashing places servers by it), else 0.
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
        rest = iter(words)
        weight: int | None = 1
        backup, maxconn, cookie, checked, ident = False, 0, "", False, 0
        admin: Admin = "ready"
        for word in rest:
            if word == "weight":
                value = next(rest)
                weight = None if value == "by" else int(value)
            elif word == "backup":
                backup = True
            elif word == "maxconn":
                maxconn = int(next(rest))
            elif word == "cookie":
                cookie = next(rest)
            elif word == "id":
                ident = int(next(rest))
            elif word == "checked":
                checked = True
            elif word in {"ready", "drain", "maint"}:
                admin = word  # type: ignore[assignment]
        return cls(address.strip("[]"), int(port), weight, backup, maxconn, cookie, admin, checked, ident)

    @classmethod
    def of_line(cls, words: Sequence[str], defaults: Sequence[str]) -> Server:
        """From the words of a `server` line after its name, and those of its backend's `default-server`."""
        place, *rest = words
        address, _, port = place.rpartition(":")
        own = _values(rest)
        shared = _values(defaults)
        return cls(
            address.strip("[]"),
            int(port),
            None if "agent-check" in defaults else int(own.get("weight", shared.get("weight", "1"))),
            "backup" in own,
            int(own.get("maxconn", shared.get("maxconn", "0"))),
            own.get("cookie", ""),
            "maint" if "disabled" in own else "ready",
            ("check" in own or "check" in defaults) and "no-check" not in own,
            int(own.get("id", "0")),
        )

    @classmethod
    def running(cls, state: ServerState, row: Row | None, *, agent: bool, numbered: bool = False) -> Server:
        """What the process says. `agent`: whether one sets its weight, and may drain it; `numbered`: by its file."""
        admin: Admin = "ready"
        # not inherited, and not for want of a name; that the file said `disabled` once (4) is no state
        if Flag.FORCED_MAINT in state.admin:
            admin = "maint"
        elif Flag.FORCED_DRAIN in state.admin and not agent:
            admin = "drain"
        return cls(
            state.fqdn or state.address,
            state.port,
            None if agent else state.weight,
            row.backup if row else False,
            (row.limit or 0) if row else 0,
            row.cookie if row else "",
            admin,
            bool(state.check & Check.ENABLED),
            state.server_id if numbered else 0,
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


def _values(words: Sequence[str]) -> dict[str, str]:
    rest = iter(words)
    return {word: next(rest, "") if _READABLE.get(word) else "" for word in rest}
