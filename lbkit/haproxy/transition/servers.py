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
    new: list[str] = field(default_factory=list)  # who comes with the reload alone, by "BACKEND/SERVER"
    said: list[str] = field(default_factory=list)  # what changes at run time, in words
    kept: list[str] = field(default_factory=list)  # what was set by hand and stays


def plan_servers(running: Running, wanted: Wanted, can: Capabilities) -> Moves:
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
        _Backend(backend, section, was, running, wanted, can, moves).plan(changed)
    return moves


@dataclass(slots=True)
class _Backend:
    name: str
    section: Section
    was: Section  # as the running process has it: its algorithm decides what can be done now
    running: Running
    wanted: Wanted
    can: Capabilities
    moves: Moves

    def plan(self, changed: Iterable[str]) -> None:
        came: list[str] = []
        went: list[str] = []
        moved: list[str] = []
        again: list[str] = []
        drained: list[str] = []
        settings: list[Command] = []
        for name in changed:
            if name not in self.wanted.servers:
                went.append(name)
                continue
            if name not in self.running.servers:
                if why := self._why_not_added(name):
                    self.moves.new.append(name)
                    self.moves.reload.append(f"{self._said(name)} is added, and {why}")
                else:
                    came.append(name)
                    self.moves.said.append(f"{self._said(name)} is added")
                continue
            have, want = self.running.server(name), self._kept(name)
            if have == want:
                continue
            self._say(name, have, want)
            if (have.address, have.port) != (want.address, want.port):
                moved.append(name)
            settings += self._settings(name, have, want)
            if have.admin != want.admin:
                (again if want.admin == "ready" else drained).append(name)
        change, leave = self.moves.change, self.moves.leave
        if settings:
            change.append(Do(tuple(settings)))
        arriving = [command for name in came for command in self._add(name)]
        for name in again:
            if name not in moved:
                arriving += self._ready(name, self.running.server(name))
        if arriving:
            change.append(Do(tuple(arriving)))
        awaited = self._awaited(name for name in [*came, *again] if name not in moved)
        if awaited:
            change.append(UntilUp(awaited, self._timing.up))
        change += self._readdress(moved)
        leave += self._drain(drained)
        leave += self._remove(went)

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

    def _ready(self, name: str, have: Server) -> Iterator[Command]:
        want = self.wanted.server(name)
        if have.admin == "maint":
            yield from self._out_of_maintenance(name, want)
        else:
            if want.checked and not have.checked:
                yield to.enable_health(*_names(name))
                yield to.set_health(*_names(name), "down")
            yield to.set_state(*_names(name), "ready")

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
        quiet = [name for name in moved if self._resting(name)]
        in_use = [name for name in moved if name not in set(quiet)]
        if quiet:
            yield from self._move(quiet)
        if not in_use:
            return
        serving = [
            name for name in self._mine(self.wanted.servers) if self.wanted.server(name).admin == "ready"
        ]
        if len(serving) == 1:
            yield Probe(tuple(in_use), self._timing.up, must=True)
            yield from self._move(in_use, proven=True)
            return
        size = max(1, len(serving) // 2)
        for index in range(0, len(in_use), size):
            batch = in_use[index : index + size]
            others = tuple(name for name in serving if name not in batch and name not in self.moves.new)
            if self._checked(batch):
                yield Guard(self.name, tuple(batch), others, self._timing.up)
            yield from self._move(batch)

    def _resting(self, name: str) -> bool:
        return self.running.server(name).admin != "ready" and self.wanted.server(name).admin != "ready"

    def _move(self, names: list[str], *, proven: bool = False) -> Iterator[Step]:
        checked = self._checked(names)
        stop = [to.disable_health(*_names(name)) for name in checked if self.running.server(name).checked]
        if stop:
            yield Do(tuple(stop))
            yield UntilUnchecked(checked, self._check_ends_within)
        commands: list[Command] = []
        for name in names:
            have, want = self.running.server(name), self.wanted.server(name)
            ready = have.admin != want.admin and want.admin == "ready"
            if want.checked and have.admin == "maint" and ready:
                commands.append(to.set_state(*_names(name), "drain"))
            if want.checked and not proven and (have.admin != "maint" or ready):
                commands.append(to.set_health(*_names(name), "down"))
            commands.append(to.set_addr(*_names(name), want.address, want.port))
            if want.checked:
                commands.append(to.enable_health(*_names(name)))
            if ready:
                commands.append(to.set_state(*_names(name), "ready"))
        yield Do(tuple(commands))
        awaited = self._awaited(names)
        if awaited and not proven:
            yield UntilUp(awaited, self._timing.up)

    def _drain(self, names: list[str]) -> Iterator[Step]:
        if not names:
            return
        yield from self._guard(names)
        yield Do(tuple(to.set_state(*_names(name), "drain") for name in names))
        resting = [name for name in names if self.wanted.server(name).admin == "maint"]
        if resting:
            yield UntilIdle(tuple(resting), self._timing.drain)
            yield Do(tuple(to.set_state(*_names(name), "maint") for name in resting))

    def _remove(self, names: list[str]) -> Iterator[Step]:
        """Drained first, with a deadline; then what is still connected is cut, and the server deleted."""
        if not names:
            return
        others = self._others(names)
        self.moves.said += [f"{self._said(name)} is removed" for name in names]
        if not self.can.delete_server:
            self.moves.reload.append(
                f"backend {self.name}: HAProxy {self.running.version} removes servers at a reload alone"
            )
            if not others:
                return
        if not others:
            # all that serve now go, and who comes instead comes with the reload: until then they serve on
            self.moves.reload.append(f"backend {self.name}: its servers are others, that come with a reload")
            return
        yield from self._guard(names)
        yield Do(tuple(to.set_state(*_names(name), "drain") for name in names))
        yield UntilIdle(tuple(names), self._timing.drain)
        if self.can.delete_server:
            # cut before maintenance: 2.6 keeps a server for a quarter of a minute whose last request ended in it
            yield Do(tuple(to.shutdown_sessions(*_names(name)) for name in names))
            yield UntilIdle(tuple(names), CUT_WITHIN)
        yield Do(tuple(to.set_state(*_names(name), "maint") for name in names))
        if self.can.delete_server:
            yield Do(tuple(to.del_server(*_names(name)) for name in names), retry=NO_CONNECTIONS_WITHIN)

    def _guard(self, leaving: list[str]) -> Iterator[Step]:
        others = self._others(leaving)
        if others:
            yield Guard(self.name, tuple(leaving), others, self._timing.up)

    def _others(self, leaving: list[str]) -> tuple[str, ...]:
        """Who is to serve, in the running process, when `leaving` have left."""
        gone = set(leaving) | set(self.moves.new)
        return tuple(
            name
            for name in self._mine(self.wanted.servers)
            if name not in gone and self.wanted.server(name).admin == "ready"
        )

    def _mine(self, servers: Mapping[str, str]) -> Iterator[str]:
        return (name for name in servers if name.startswith(f"{self.name}/"))

    def _awaited(self, names: Iterable[str]) -> tuple[str, ...]:
        """Of those that are checked: who is to get requests."""
        return tuple(name for name in self._checked(names) if self.wanted.server(name).admin == "ready")

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
