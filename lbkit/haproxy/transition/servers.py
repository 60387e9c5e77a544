"""Servers that come, change and go in the running process: which can, and by which steps.

The order of commands is measured, on 2.6 and 3.0 (docs/haproxy-capabilities.md). `ready` out of maintenance has a
server up at once, whatever its checks would say; out of `drain` with `health down` it is down until they pass. A
check that is under way when an address changes counts for the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lbkit.haproxy.capabilities import Capabilities
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.commands import server as to
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.server import Server, own_words
from lbkit.haproxy.transition.state import Running, Timing, Wanted
from lbkit.haproxy.transition.steps import Do, Guard, Probe, Step, UntilIdle, UntilUnchecked, UntilUp
from lbkit.haproxy.transition.written import Section

_FLAGS = frozenset(
    {
        *(
            "backup",
            "check",
            "no-check",
            "disabled",
            "check-ssl",
            "check-send-proxy",
            "check-via-socks4",
            "agent-check",
        ),
        *("ssl", "no-ssl-reuse", "tfo", "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"),
    }
)
"""Words of a server that take no value; all others take one."""

CUT_WITHIN = 2.0  # seconds that sessions which are shut down take to be gone
NO_CONNECTIONS_WITHIN = 20.0  # seconds in which a server that is in maintenance can be deleted
CHECK_ENDS_WITHIN = 10.0  # seconds, where a check has no timeout of its own


@dataclass(slots=True)
class Moves:
    """The steps for servers, in the order in which `planner` puts them; and what must wait for a reload."""

    change: list[Step] = field(default_factory=list)  # weights, limits, who is new, who moves
    leave: list[Step] = field(default_factory=list)  # who drains, who goes
    reload: list[str] = field(default_factory=list)  # why, in words
    new: list[str] = field(
        default_factory=list
    )  # who comes, or changes, with the reload, by "BACKEND/SERVER"
    guards: list[Guard] = field(default_factory=list)  # that the next process has servers where this one has
    said: list[str] = field(default_factory=list)  # what changes at run time, in words
    kept: list[str] = field(default_factory=list)  # what was set by hand and stays


def plan_servers(running: Running, wanted: Wanted, can: Capabilities, *, reloads: bool = False) -> Moves:
    """`reloads`: the process is replaced in any case, and what changes comes with the next one."""
    moves = Moves()
    names: dict[str, list[str]] = {}
    for name in dict.fromkeys([*wanted.servers, *running.servers]):
        if running.servers.get(name) != wanted.servers.get(name):
            names.setdefault(name.partition("/")[0], []).append(name)
    if not names:
        return moves
    sections = written.sections(wanted.text)
    # without the file that the process loaded, what it cannot tell is taken to be as wanted
    loaded = written.sections(running.text) if running.text is not None else sections
    for backend, changed in names.items():
        section = sections.get(("backend", backend))
        if section is None:
            moves.said.append(f"backend {backend} goes")
            continue
        if not any(name.startswith(f"{backend}/") for name in running.servers):
            moves.new += changed
            moves.reload.append(f"backend {backend} is new")
            continue
        was = loaded.get(("backend", backend), section)
        _Backend(backend, section, was, running, wanted, can, moves).plan(changed, reloads=reloads)
    return moves


@dataclass(slots=True)
class _Changes:
    """What becomes of servers, by "BACKEND/SERVER": one may stand in several."""

    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # out of drain or maintenance, or from this into drain
    rests: list[str] = field(default_factory=list)  # into drain or maintenance
    emptied: list[str] = field(default_factory=list)  # weight 0
    settings: list[Command] = field(default_factory=list)


@dataclass(slots=True)
class _Backend:
    name: str
    section: Section
    was: Section  # as the running process has it: its algorithm decides what can be done now
    running: Running
    wanted: Wanted
    can: Capabilities
    moves: Moves
    kept: dict[str, Server] = field(
        default_factory=dict
    )  # how servers are to be, where that is not as declared

    def plan(self, changed: Iterable[str], *, reloads: bool) -> None:
        found = self._changes(changed)
        if reloads:
            self._with_reload(found)
        else:
            self._at_once(found)

    def _changes(self, changed: Iterable[str]) -> _Changes:
        found = _Changes()
        for name in changed:
            if name not in self.wanted.servers:
                found.went.append(name)
                self.moves.said.append(f"{self._said(name)} is removed")
                if not self.can.delete_server:
                    self.moves.reload.append(
                        f"backend {self.name}: HAProxy {self.running.version} removes servers at a reload alone"
                    )
                continue
            if name not in self.running.servers:
                found.came.append(name)
                if why := self._why_not_added(name):
                    self.moves.reload.append(f"{self._said(name)} is added, and {why}")
                else:
                    self.moves.said.append(f"{self._said(name)} is added")
                continue
            self._changed(name, found)
        return found

    def _changed(self, name: str, found: _Changes) -> None:
        have, want = self.running.server(name), self._kept(name)
        if have.with_(unproven=False) == want:
            return
        self._say(name, have, want)
        if (have.address, have.port) != (want.address, want.port):
            found.moved.append(name)
            if not _is_address(have.address) or not _is_address(want.address):
                self.moves.reload.append(
                    f"{self._said(name)} moves, and its name is looked up at a reload alone"
                )
        if have.admin != want.admin:
            rests = want.admin == "maint" or (want.admin == "drain" and have.admin == "ready")
            (found.rests if rests else found.again).append(name)
        for command in self._settings(name, have, want):
            found.settings.append(command)
        if want.weight == 0 != have.weight and self._dynamic:
            found.emptied.append(name)

    def _with_reload(self, found: _Changes) -> None:
        """The next process has them so from its first moment: in the state that a probe of lbkit's finds."""
        new = dict.fromkeys([*found.came, *found.moved, *found.again, *found.rests])
        self.moves.new += new
        others = tuple(
            name for name in self._mine(self.wanted.servers) if self._takes(name) and name not in new
        )
        probed = tuple(name for name in new if self._takes(name))
        leaving = tuple(name for name in self._mine(self.running.servers) if name not in others)
        unchecked = any(not self.wanted.server(name).checked for name in probed)
        if leaving and (others or probed) and not unchecked:
            self.moves.guards.append(Guard(self.name, leaving, others, self._timing.up, probed))

    def _at_once(self, found: _Changes) -> None:
        change, leave = self.moves.change, self.moves.leave
        if found.settings:
            change.append(Do(tuple(found.settings)))
        again = [name for name in found.again if name not in found.moved]
        arriving = [command for name in found.came for command in self._add(name)]
        arriving += [command for name in again for command in self._ready(name)]
        if arriving:
            change.append(Do(tuple(arriving)))
        if awaited := self._awaited([*found.came, *again]):
            change.append(UntilUp(awaited, self._timing.up))
        change += self._readdress([name for name in found.moved if name not in found.rests])
        leave += self._empty([name for name in found.emptied if name not in found.rests])
        leave += self._rest(found.rests, frozenset(found.moved))
        leave += self._remove(found.went)

    def _want(self, name: str) -> Server:
        return self.kept.get(name) or self.wanted.server(name)

    def _takes(self, name: str) -> bool:
        """Whether it is to get new requests, as declared: whether it does, a guard sees."""
        want = self.wanted.server(name)
        return want.admin == "ready" and want.weight != 0

    @property
    def _timing(self) -> Timing:
        return self.wanted.timing_of(self.name)

    def _kept(self, name: str) -> Server:
        """As wanted; with what was set by hand, where that is to be kept."""
        want = self.wanted.server(name)
        if self.wanted.by_hand == "undo" or name not in self.running.remembered:
            return want
        have = self.running.server(name)
        weight, _, admin = self.running.remembered[name].partition(" ")
        kept = want
        # what lbkit left there is what is wanted now, and the process has something else: somebody set that
        if have.admin != want.admin == admin:
            kept = kept.with_(admin=have.admin)
        if have.weight != want.weight and str(want.weight) == weight:
            kept = kept.with_(weight=have.weight)
        self.kept[name] = kept
        if kept != want:
            self.moves.kept.append(f"{self._said(name)} is {have.admin}, weight {have.weight}, by hand")
        return kept

    def _say(self, name: str, have: Server, want: Server) -> None:
        said = []
        if have.place != want.place:
            said.append(f"moves from {have.place} to {want.place}")
        said += [
            f"{what}: {was} -> {now}"
            for what, was, now in (
                ("weight", have.weight, want.weight),
                ("maxconn", have.maxconn or "none", want.maxconn or "none"),
                ("backup", _yes(have.backup), _yes(want.backup)),
                ("cookie", have.cookie or "none", want.cookie or "none"),
                ("id", have.ident or "none", want.ident or "none"),
                ("state", have.admin, want.admin),
                ("checks", _yes(have.checked), _yes(want.checked)),
                ("check port", have.check_port or "its own", want.check_port or "its own"),
                ("agent port", have.agent_port or "none", want.agent_port or "none"),
                ("agent", _yes(have.asked), _yes(want.asked)),
            )
            if was != now
        ]
        self.moves.said.append(f"{self._said(name)} {', '.join(said)}")

    def _said(self, name: str) -> str:
        return f"backend {self.name}: server {name.partition('/')[2]}"

    def _settings(self, name: str, have: Server, want: Server) -> Iterator[Command]:
        """What is set while it serves; and, in words, what cannot be."""
        reload = self.moves.reload
        if have.weight != want.weight:
            if want.weight is None or have.weight is None:
                reload.append(f"{self._said(name)}: whether an agent sets its weight")
            elif self._dynamic:
                if want.weight or have.admin != "ready":  # else it leaves, and others have to be up
                    yield to.set_weight(*_names(name), want.weight)
            else:
                reload.append(
                    f"{self._said(name)} gets weight {want.weight}, which `balance {' '.join(self.was.balance)}` "
                    "takes at no other time"
                )
        if have.maxconn != want.maxconn:
            yield to.set_server_maxconn(*_names(name), want.maxconn)
        if have.backup != want.backup:
            reload.append(f"{self._said(name)} {'becomes' if want.backup else 'is no longer'} a backup")
        if have.cookie != want.cookie:
            reload.append(f"{self._said(name)} gets the cookie {want.cookie or 'none'}")
        if have.ident != want.ident:
            reload.append(f"{self._said(name)} gets the number {want.ident or 'that is next'}")
        if have.check_port != want.check_port:
            yield to.set_check_port(*_names(name), want.check_port)
        if have.agent_port != want.agent_port and have.agent_port and want.agent_port:
            yield to.set_agent_port(*_names(name), want.agent_port)
        if have.asked and not want.asked:
            yield to.disable_agent(*_names(name))
        elif want.asked and not have.asked and have.weight is None:
            yield to.enable_agent(*_names(name))
        if have.checked and not want.checked:
            yield to.disable_health(*_names(name))
        elif want.checked and not have.checked and have.admin == want.admin and have.place == want.place:
            yield to.enable_health(*_names(name))

    @property
    def _dynamic(self) -> bool:
        algorithm = self.was.balance[0] if self.was.balance else "roundrobin"
        return self.can.is_dynamic(algorithm, consistent=self.was.consistent)

    @property
    def _check_ends_within(self) -> float:
        """A check ends with its timeout; what else holds one up gets a second."""
        for section in (self.was, self.section):
            for line in section.lines:
                if line.startswith("timeout check "):
                    return int(line.split()[2]) / 1000 + 1
        return CHECK_ENDS_WITHIN

    def _why_not_added(self, name: str) -> str:
        """Empty where the running HAProxy can add it."""
        _, server = _names(name)
        line = written.split(self.section.servers[server])
        words = _told([*self.section.defaults, *line[1:]])
        if not self.can.add_server:
            return f"HAProxy {self.running.version} adds servers at a reload alone"
        if not self._dynamic:
            return f"`balance {' '.join(self.was.balance)}` takes it in at a reload alone"
        if refused := _refused(words, self.can):
            return f"HAProxy {self.running.version} takes `{refused}` at a reload alone"
        if own_words(line):
            return f"`{own_words(line)[0]}` cannot be read back"
        if not _is_address(self.wanted.server(name).address):
            return "its name is looked up at a reload alone"
        return ""

    def _add(self, name: str) -> Iterator[Command]:
        backend, server = _names(name)
        place, *own = written.split(self.section.servers[server])
        yield to.add_server(backend, server, place, _told([*self.section.defaults, *own]))
        want = self.wanted.server(name)
        if want.asked:
            yield to.enable_agent(backend, server)
        if want.admin != "maint":
            yield from self._out_of_maintenance(name, want)
        elif want.checked:
            yield to.enable_health(*_names(name))

    def _ready(self, name: str) -> Iterator[Command]:
        have, want = self.running.server(name), self._want(name)
        if have.admin == "maint":
            yield from self._out_of_maintenance(name, want)
            return
        if want.checked and not have.checked:
            yield to.enable_health(*_names(name))
        if want.checked and (have.unproven or not have.checked):
            yield to.set_health(*_names(name), "down")
        yield to.set_state(*_names(name), want.admin)

    def _out_of_maintenance(self, name: str, want: Server) -> Iterator[Command]:
        """Down until its checks have passed, and then up by itself."""
        if want.checked:
            yield to.enable_health(*_names(name))
            yield to.set_state(*_names(name), "drain")
            yield to.set_health(*_names(name), "down")
            if want.admin == "ready":
                yield to.set_state(*_names(name), "ready")
        else:
            yield to.set_state(*_names(name), want.admin)

    def _readdress(self, moved: list[str]) -> Iterator[Step]:
        """Half of those in use at a time, so that the others serve; the only one after a look at its new place."""
        in_use = [name for name in moved if self.running.server(name).admin == "ready" and self._takes(name)]
        quiet = [name for name in moved if name not in set(in_use)]
        if quiet:
            yield from self._move(quiet)
        if not in_use:
            return
        serving = [name for name in self._mine(self.wanted.servers) if self._takes(name)]
        if len(serving) == 1:
            if checked := self._checked(in_use):
                yield Probe(checked, self._timing.up, must=True)
            yield from self._move(in_use, proven=True)
            return
        size = max(1, len(serving) // 2)
        for index in range(0, len(in_use), size):
            batch = in_use[index : index + size]
            if self._checked(batch):
                others = tuple(name for name in serving if name not in batch)
                yield Guard(self.name, tuple(batch), others, self._timing.up)
            yield from self._move(batch)

    def _move(self, names: list[str], *, proven: bool = False) -> Iterator[Step]:
        checked = self._checked(names)
        # in maintenance checks rest already; one that is disabled there rests for ever, whatever comes after
        stop = [
            to.disable_health(*_names(name))
            for name in checked
            if self.running.server(name).checked and self.running.server(name).admin != "maint"
        ]
        if stop:
            yield Do(tuple(stop))
        if checked:
            # where checks rest already, one may be under way all the same: of a transition that was cut off
            yield UntilUnchecked(checked, self._check_ends_within)
        commands = [command for name in names for command in self._to_its_place(name, proven=proven)]
        yield Do(tuple(commands))
        awaited = self._awaited(names)
        if awaited and not proven:
            yield UntilUp(awaited, self._timing.up)

    def _to_its_place(self, name: str, *, proven: bool) -> Iterator[Command]:
        """While no check of it is under way. The next one asks at the new place, as no check is begun before that."""
        have, want = self.running.server(name), self._want(name)
        address = to.set_addr(*_names(name), want.address, want.port)
        if have.admin == "maint":
            yield address
            if want.admin != "maint":
                yield from self._out_of_maintenance(name, want)
            elif want.checked:
                yield to.enable_health(*_names(name))
            return
        if want.checked and not proven and want.admin != "maint":
            yield to.set_health(*_names(name), "down")
        yield address
        if want.checked:
            yield to.enable_health(*_names(name))
        if have.admin != want.admin == "ready":
            yield to.set_state(*_names(name), "ready")

    def _empty(self, names: list[str]) -> Iterator[Step]:
        """Weight 0: as one that leaves, but for its sessions."""
        if in_use := [name for name in names if self.running.server(name).admin == "ready"]:
            yield from self._guard(in_use)
            yield Do(tuple(to.set_weight(*_names(name), 0) for name in in_use))

    def _rest(self, names: list[str], moved: frozenset[str]) -> Iterator[Step]:
        """Into drain; moved there; and into maintenance once their sessions are over."""
        in_use = [name for name in names if self.running.server(name).admin == "ready"]
        if in_use:
            yield from self._guard(in_use)
            yield Do(tuple(to.set_state(*_names(name), "drain") for name in in_use))
        if leaving := [name for name in names if name in moved]:
            yield from self._move(leaving)
        resting = [name for name in names if self._want(name).admin == "maint"]
        if resting:
            yield UntilIdle(tuple(resting), self._timing.drain)
            yield Do(tuple(to.set_state(*_names(name), "maint") for name in resting))
        empty = [name for name in in_use if self._want(name).weight == 0 != self.running.server(name).weight]
        if empty and self._dynamic:
            yield Do(tuple(to.set_weight(*_names(name), 0) for name in empty))

    def _remove(self, names: list[str]) -> Iterator[Step]:
        """Drained first, with a deadline; then what is still connected is cut, and the server deleted."""
        if not names or not self.can.delete_server:
            return
        yield from self._guard(names)
        yield Do(tuple(to.set_state(*_names(name), "drain") for name in names))
        yield UntilIdle(tuple(names), self._timing.drain)
        # cut before maintenance: 2.6 keeps a server for a quarter of a minute whose last request ended in it
        yield Do(tuple(to.shutdown_sessions(*_names(name)) for name in names))
        yield UntilIdle(tuple(names), CUT_WITHIN)
        yield Do(tuple(to.set_state(*_names(name), "maint") for name in names))
        yield Do(tuple(to.del_server(*_names(name)) for name in names), retry=NO_CONNECTIONS_WITHIN)

    def _guard(self, leaving: list[str]) -> Iterator[Step]:
        """Where nobody is to serve afterwards, that is what was asked for."""
        gone = set(leaving)
        others = tuple(
            name for name in self._mine(self.wanted.servers) if name not in gone and self._takes(name)
        )
        if others:
            yield Guard(self.name, tuple(leaving), others, self._timing.up)

    def _mine(self, servers: Mapping[str, str]) -> Iterator[str]:
        return (name for name in servers if name.startswith(f"{self.name}/"))

    def _awaited(self, names: Iterable[str]) -> tuple[str, ...]:
        """Of those that are checked: who is to get requests."""
        return tuple(name for name in self._checked(names) if self._want(name).admin == "ready")

    def _checked(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if self.wanted.server(name).checked)


def _names(name: str) -> tuple[str, str]:
    backend, _, server = name.partition("/")
    return backend, server


def _refused(words: Iterable[str], can: Capabilities) -> str:
    """The first keyword that `add server` does not take; "" where it takes all."""
    rest = iter(words)
    for word in rest:
        if word not in can.server_keywords and word != "no-check":
            return word
        if word not in _FLAGS:
            next(rest, None)
    return ""


def _told(words: Iterable[str]) -> list[str]:
    """What `add server` must be told: a check of its does not speak TLS or PROXY of itself, as one in a file does."""
    told = [word for word in words if word not in {"disabled", "no-check"}]
    if "check" in told:
        if "ssl" in told and "check-ssl" not in told and "port" not in told:
            told.append("check-ssl")
        if (
            {"send-proxy", "send-proxy-v2"} & set(told)
            and "check-send-proxy" not in told
            and "port" not in told
        ):
            told.append("check-send-proxy")
    return told


def _yes(value: bool) -> str:  # noqa: FBT001
    return "yes" if value else "no"


def _is_address(text: str) -> bool:
    return ":" in text or text.replace(".", "").isdigit()
