"""Look at one HAProxy: its files, and all that its process tells, by one connection. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.engine.resource import Actual
from lbkit.haproxy import process
from lbkit.haproxy.config.files import FileKind
from lbkit.haproxy.config.paths import STATE_FILE
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.resting import as_before
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.questions import (
    CERTIFICATES,
    SETTINGS,
    acl_entries,
    authority,
    certificate,
    crt_list,
    map_entries,
)
from lbkit.haproxy.runtime.stat import Settings
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running
from lbkit.haproxy.transition.statefile import remembered


@dataclass(frozen=True, slots=True)
class ActualHaproxy(Actual):
    """`state` is what a person sees of it, `running` what the planner does."""

    running: Running = field(default_factory=lambda: Running(None, alive=False))


def look(
    instance: Instance,
    clock: Clock,
    *,
    alive: bool | None = None,
    command: str = "",
    by_hand: bool = False,
) -> Running:
    """What there is now; where a reload is under way, after it. `alive`, and the `command` it was started by, where the
    caller knows already; `by_hand`: also what lbkit left the last time.
    """
    if alive is None:
        started = instance.machine.running().get(instance.service)
        alive, command = started is not None, started.digest if started else ""
    if alive:
        process.settle(instance, clock)
    text = instance.config()
    known = written.files(text or "")
    found = instance.machine.files(instance.service, known) if known else {}
    files = {path: hashlib.sha256(file.content).hexdigest()[:32] for path, file in found.items()}
    if not alive:
        return Running(text, alive=False, files=files)
    try:
        with instance.runtime(timeout=5.0) as runtime:
            info = runtime.info()
            told = runtime.read(SETTINGS)
            return Running(
                text,
                alive=True,
                answers=True,
                loaded=info.digest,
                version=info.version,
                servers=_servers(instance, runtime, text or "", told),
                files=files,
                tables=dict(_tables(runtime, known)),
                certificates=_certificates(runtime) | dict(_authorities(runtime, known)),
                remembered=_remembered(instance) if by_hand else {},
                command=command,
                shut={name: row.shut for (name, _), row in told.items() if row.shut},
            )
    except Failure:
        return Running(text, alive=True, files=files)


def state_of(running: Running) -> dict[str, Any]:
    """What a person sees of it."""
    return {
        "config": running.text,
        "alive": running.alive,
        "answers": running.answers,
        "loaded": running.loaded,
        "version": running.version,
        "servers": running.servers,
        "shut": running.shut,
        "files": running.files,
        "tables": running.tables,
        "certificates": running.certificates,
    }


def _servers(
    instance: Instance, runtime: Runtime, text: str, told: Mapping[tuple[str, str], Settings]
) -> dict[str, str]:
    """In the order of the process. Who is set aside for a moment is as before."""
    agents = {
        name
        for (kind, name), section in written.sections(text).items()
        if kind == "backend" and "agent-check" in section.defaults
    }
    numbered = {
        name
        for (kind, name), section in written.sections(text).items()
        if kind == "backend" and any(" id " in f" {line}" for line in section.servers.values())
    }
    rises = {
        name: int(section.default("rise", "2"))
        for (kind, name), section in written.sections(text).items()
        if kind == "backend"
    }
    found = {}
    for state in runtime.servers():
        name = f"{state.backend}/{state.server}"
        server = Server.running(
            state,
            told.get(state.key),
            agent=state.backend in agents,
            numbered=state.backend in numbered,
            rise=rises.get(state.backend, 2),
        )
        found[name] = str(as_before(instance, name, server))
    return found


def _tables(runtime: Runtime, known: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of maps and lists the entries as their files have them; of a list of certificates with their numbers before."""
    for path, (kind, _) in known.items():
        try:
            if kind == FileKind.MAP:
                entries = runtime.read(map_entries(path))
                yield path, tuple(f"{entry.key} {entry.value}" for entry in entries)
            elif kind == FileKind.LIST:
                yield path, tuple(entry.key for entry in runtime.read(acl_entries(path)))
            elif kind == FileKind.CERTIFICATE_LIST:
                lines = runtime.read(crt_list(path))
                yield (
                    path,
                    tuple(
                        " ".join(
                            filter(
                                None,
                                [
                                    str(line.number),
                                    line.file,
                                    f"[{line.options}]" if line.options else "",
                                    *line.filters,
                                ],
                            )
                        )
                        for line in lines
                    ),
                )
        except Failure:  # the file names it, the process has loaded another one: the digest tells
            continue


def _certificates(runtime: Runtime) -> dict[str, str]:
    try:
        names = runtime.read(CERTIFICATES).files
        return {name: runtime.read(certificate(name)).sha1 for name in names}
    except Failure:  # a HAProxy without TLS does not know the question
        return {}


def _authorities(runtime: Runtime, known: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for path, (kind, _) in known.items():
        if kind == FileKind.AUTHORITY:
            try:
                found = runtime.read(authority(path))
                yield path, " ".join(sorted(found))
            except Failure:  # as of tables
                continue


def _remembered(instance: Instance) -> dict[str, str]:
    found = instance.machine.files(instance.service, [STATE_FILE]).get(STATE_FILE)
    return remembered(found.content.decode(errors="replace")) if found else {}
