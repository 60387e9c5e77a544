"""Both sides of a transition: the HAProxy that runs, and the one that is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lbkit.haproxy.config.files import File
from lbkit.haproxy.transition.server import Server


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one backend, in seconds: for requests to a server that leaves to end, for a new one's checks to pass."""

    drain: float = 30.0
    up: float = 15.0


@dataclass(frozen=True, slots=True)
class Running:
    """What there is. `text`: of the file. `loaded`: the static digest that the process says it has.

    `loaded` is None where it does not live, does not answer, or runs what lbkit did not write. `servers` by
    "BACKEND/SERVER", as `str(Server)`. `files`: digests of what lies on disk, by path. `tables`: the entries of
    each map and list that the process has. `certificates`: fingerprints by path, "" of one that is empty.
    `command`: by which it was started, "" where that is not known. `remembered`: the servers of the server-state file, weight and admin state (as "WEIGHT ADMIN").
    `shut`: frontends that somebody closed at the runtime socket, PAUSED or STOP. `empty`: backends that the process has
    without a server, as far as that is known.
    """

    text: str | None
    alive: bool
    answers: bool = False
    loaded: str | None = None
    version: str = ""
    servers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)
    remembered: Mapping[str, str] = field(default_factory=dict)
    shut: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    empty: frozenset[str] = frozenset()

    def server(self, name: str) -> Server:
        return Server.parse(self.servers[name])


@dataclass(frozen=True, slots=True)
class Wanted:
    """`text` of the configuration; `servers` as they shall run, as `str(Server)`; `timing` by backend.

    `by_hand`: what becomes of a weight or a drain that somebody set at the runtime socket. `late`: backends whose servers
    begin without traffic, whatever was known of them: those that are asked by an agent until this has said `ready`, the
    others until their checks have passed. `unread`: words of a new server that nobody can ask for later are taken all the
    same, as there is no configuration that they would have to be compared with.
    """

    text: str
    servers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    timing: Mapping[str, Timing] = field(default_factory=dict)
    by_hand: Literal["undo", "keep"] = "undo"
    command: str = ""
    late: frozenset[str] = frozenset()
    unread: bool = False

    def server(self, name: str) -> Server:
        return Server.parse(self.servers[name])

    def waits_for_agent(self, name: str) -> bool:
        """Of a server, "BACKEND/SERVER"."""
        return name.partition("/")[0] in self.late and self.server(name).asked

    def stands_in(self, name: str) -> bool:
        """Whether it is late, and has no agent that would say when that ends: nobody waits for it."""
        return name.partition("/")[0] in self.late and not self.server(name).asked

    def timing_of(self, backend: str) -> Timing:
        return self.timing.get(backend, Timing())
