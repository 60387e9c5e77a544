"""The shortest safe way: what runs and what is wanted in, ordered steps out. Pure.

Who arrives comes before routes lead there, and who leaves goes after routes have left it. Where something needs a
reload all comes with it: the process that is replaced hands on what it knows of the servers that stay as they are, and
the next one begins with what a probe says of the others. The old one would not know a check or a file that is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lbkit.haproxy import capabilities
from lbkit.haproxy.config.paths import CONFIG
from lbkit.haproxy.text.digest import digest_in
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.files import FileMoves, plan_files
from lbkit.haproxy.transition.frontends import plan_frontends
from lbkit.haproxy.transition.servers import Moves, plan_servers
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.steps import (
    Certify,
    Check,
    Discard,
    Probe,
    Put,
    Reload,
    Remember,
    Start,
    Step,
    UntilHeard,
    UntilLeft,
    UntilUp,
    lines,
)
from lbkit.haproxy.transition.words import differences, sentence

PROBE_WITHIN = 5.0  # seconds, for all servers side by side, before a process begins


class Way(StrEnum):
    NOTHING = "nothing"
    WRITE = "write"  # the process is as wanted, what lies on disk is not
    RUNTIME = "runtime"  # by commands to the running process
    RELOAD = "reload"
    START = "start"
    RESTART = "restart"  # it lives, but nobody can speak to it


@dataclass(frozen=True, slots=True)
class Transition:
    """`kept`: what somebody set by hand, and stays."""

    way: Way
    reason: str = ""
    steps: tuple[Step, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        return lines(self.steps)


def transition(running: Running, wanted: Wanted) -> Transition:
    if not running.alive or not running.answers or _is_another(running, wanted):
        return _start(running, wanted)
    can = capabilities.of(running.version)
    servers = plan_servers(running, wanted, can)
    files = plan_files(running, wanted, can)
    fronts = plan_frontends(running, wanted)
    reload = [*_why_reload(running, wanted, servers, files), *fronts.reload]
    if reload:
        servers = plan_servers(running, wanted, can, reloads=True)
    steps = _steps(running, wanted, servers, files, reload=bool(reload))
    if not reload:
        steps += tuple(fronts.open)
    kept = (*servers.kept, *fronts.kept)
    if not steps:
        return Transition(Way.NOTHING, kept=kept)
    said = list(dict.fromkeys([*reload, *servers.said, *files.said, *fronts.said]))
    if reload:
        way = Way.RELOAD
    elif all(isinstance(step, Check | Put | Discard) for step in steps):
        way, said = Way.WRITE, ["its file is not what it should be; the running HAProxy is"]
    else:
        way = Way.RUNTIME
    return Transition(way, sentence(said), steps, kept)


def _why_reload(running: Running, wanted: Wanted, servers: Moves, files: FileMoves) -> list[str]:
    why = [*servers.reload, *files.reload]
    if running.loaded == digest_in(wanted.text):
        return why
    if running.text is not None and digest_in(running.text) == digest_in(wanted.text):
        return [*why, "the running HAProxy has not loaded its file"]
    said = differences(running.text, wanted.text) if running.text is not None else ()
    return [*said, *why] or ["its file is not as lbkit writes it"]


def _steps(
    running: Running, wanted: Wanted, servers: Moves, files: FileMoves, *, reload: bool
) -> tuple[Step, ...]:
    """In their order. Where there is a reload, routes and certificates come with it: the names may be new to HAProxy."""
    certified = () if reload else files.before
    given = {step.path for step in certified if isinstance(step, Certify)}
    put = [path for path in files.put if path not in given]
    marks = tuple(files.marks)
    if running.text != written.with_marks(wanted.text, marks):
        put.insert(
            0, CONFIG
        )  # first: by it whoever goes on finds files that were written, and are wanted no more
    write = [Put(tuple(put), marks)] if put else []
    steps: list[Step] = [Check()] if put or certified or reload else []
    if reload:
        steps += _reload(running, wanted, servers, write)
    else:
        # haproxy.cfg first: by it whoever goes on finds certificates that were given, and are wanted no more
        steps += [*write, *certified, *servers.change, *files.routes, *servers.leave, *files.after]
    steps += files.discard
    if marks:
        steps.append(Put((CONFIG,)))
    if reload or servers.change or servers.leave:
        steps.append(Remember())
    return tuple(steps)


def _reload(running: Running, wanted: Wanted, servers: Moves, write: list[Put]) -> Iterator[Step]:
    checked = [name for name in servers.new if wanted.server(name).checked and not wanted.stands_in(name)]
    if checked:
        yield Probe(tuple(checked), PROBE_WITHIN)
    yield from servers.guards
    yield Remember(tuple(servers.new), handed=True)
    yield from write
    yield Reload()
    awaited: dict[str, list[str]] = {}
    for name in checked:
        if wanted.server(name).admin == "ready":
            awaited.setdefault(name.partition("/")[0], []).append(name)
    for backend, names in awaited.items():
        yield UntilUp(tuple(names), wanted.timing_of(backend).up)
    yield from _heard(servers.new, wanted)
    if leaving := list(_leaving(running, wanted)):
        yield UntilLeft(max(wanted.timing_of(name.partition("/")[0]).drain for name in leaving))


def _heard(names: Iterable[str], wanted: Wanted) -> Iterator[Step]:
    if found := tuple(name for name in names if wanted.waits_for_agent(name)):
        yield UntilHeard(found)


def _leaving(running: Running, wanted: Wanted) -> Iterator[str]:
    """Servers of the process before that the next one does not have, or has elsewhere."""
    for name in running.servers:
        if name not in wanted.servers or running.server(name).place != wanted.server(name).place:
            yield name


def _is_another(running: Running, wanted: Wanted) -> bool:
    """Whether another executable runs than the one wanted: a reload would execute the same again."""
    return bool(running.command and wanted.command) and running.command != wanted.command


def _start(running: Running, wanted: Wanted) -> Transition:
    changes = differences(running.text, wanted.text) if running.text is not None else ()
    also = f"; its configuration changes: {sentence(changes)}" if changes else ""
    if running.answers:
        way, reason = Way.RESTART, f"`{running.command}` runs, and is to be `{wanted.command}`{also}"
    elif running.alive:
        way, reason = Way.RESTART, f"HAProxy runs, but does not answer at its runtime socket{also}"
    else:
        way, reason = Way.START, f"HAProxy does not run{also}"
    known = written.files(running.text or "")
    left = tuple(path for path in known if path not in wanted.files)
    marks = tuple(written.mark(path, *known[path]) for path in left)
    rest = (Discard(left), Put((CONFIG,))) if left else ()
    return Transition(way, reason, (*starting(wanted, marks), *rest))


def starting(wanted: Wanted, marks: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Where nothing runs yet."""
    checked = tuple(
        name for name in wanted.servers if wanted.server(name).checked and not wanted.stands_in(name)
    )
    return (
        Check(),
        Put((CONFIG, *wanted.files), marks),
        *([Probe(checked, PROBE_WITHIN)] if checked else []),
        Remember(all_new=True),
        Start(),
        *_heard(wanted.servers, wanted),
    )
