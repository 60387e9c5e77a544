"""Maps, lists, certificates: what of them changes in the running process, and what must wait for a reload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lbkit.haproxy.capabilities import Capabilities
from lbkit.haproxy.config.files import File, FileKind
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.commands import tls
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.steps import Certify, Discard, Do, Forget, Replace, Step

TABLES: Mapping[FileKind, Literal["map", "acl"]] = {FileKind.MAP: "map", FileKind.LIST: "acl"}


@dataclass(slots=True)
class FileMoves:
    """In the order in which `planner` puts them."""

    before: list[Step] = field(default_factory=list)  # certificates that come or change
    routes: list[Step] = field(default_factory=list)  # maps and lists
    after: list[Step] = field(default_factory=list)  # certificates that go
    put: list[str] = field(default_factory=list)  # to be written with the configuration, by path
    discard: list[Step] = field(default_factory=list)  # from the disk
    marks: list[str] = field(default_factory=list)  # of all that goes: `Put.marks`
    reload: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def plan_files(running: Running, wanted: Wanted, can: Capabilities) -> FileMoves:
    moves = FileMoves()
    known = written.files(running.text or "")
    for path, file in wanted.files.items():
        on_disk = running.files.get(path) == file.digest
        if not on_disk:
            moves.put.append(path)
        kind = file.kind
        if kind in TABLES:
            _table(path, file, TABLES[kind], running, moves)
        elif kind is FileKind.CERTIFICATE:
            _certificate(path, file, running, moves, on_disk=on_disk)
        elif kind is FileKind.CERTIFICATE_LIST:
            _list(path, file, running, can, moves)
        elif kind is FileKind.AUTHORITY:
            _authority(path, file, running, wanted, can, moves, on_disk=on_disk)
        elif kind is FileKind.PLAIN and not on_disk:
            moves.reload.append(f"{path} is read at a reload alone")
    _gone(running, wanted, known, moves)
    return moves


def _table(path: str, file: File, kind: Literal["map", "acl"], running: Running, moves: FileMoves) -> None:
    have = running.tables.get(path)
    if have is None:
        return  # the configuration that names it is another one too: that is a reload, and says why
    if have != file.entries:
        more, less = len(set(file.entries) - set(have)), len(set(have) - set(file.entries))
        moves.said.append(f"{path}: {more} new, {less} gone" if more or less else f"{path}: another order")
        moves.routes.append(Replace(kind, path, file.entries))


def _certificate(path: str, file: File, running: Running, moves: FileMoves, *, on_disk: bool) -> None:
    have = running.certificates.get(path)
    if have == file.identity and on_disk:
        return
    moves.said.append(f"{path} is {'new' if have is None else 'another'}")
    moves.before.append(Certify(path, file.digest, new=have is None))


def _authority(
    path: str,
    file: File,
    running: Running,
    wanted: Wanted,
    can: Capabilities,
    moves: FileMoves,
    *,
    on_disk: bool,
) -> None:
    """More authorities at run time. Where one goes, clients that have a session of before it get in until a reload."""
    have = frozenset(running.certificates.get(path, "").split())
    want = frozenset(file.identity.split())
    if on_disk and have in (want, frozenset()):
        return
    moves.said.append(f"{path} is another")
    # for servers HAProxy says that it took another authority, and did not
    if not have or not can.ca_file or _of_servers(path, wanted.text):
        moves.reload.append(f"{path} is read at a reload alone")
    elif have - want:
        moves.reload.append(f"{path} loses an authority, which clients' sessions would outlive")
    else:
        moves.before.append(Certify(path, file.digest, new=False, authority=True))


def _list(path: str, file: File, running: Running, can: Capabilities, moves: FileMoves) -> None:
    have = running.tables.get(path)
    if have is None:
        return
    had = [_entry(line) for line, _ in map(_numbered, have)]
    wants = {_entry(line): line for line in file.entries}
    if set(had) == set(wants):
        return
    if not can.crt_list:
        moves.reload.append(f"{path} is read at a reload alone")
        return
    more = [line for entry, line in wants.items() if entry not in had]
    commands: list[Command] = [_added(path, line) for line in more]
    if commands:
        moves.before.append(Do(tuple(commands)))
    gone = [
        tls.del_from_crt_list(path, line.split()[0], number)
        for line, number in map(_numbered, have)
        if _entry(line) not in wants
    ]
    if gone:
        moves.after.append(Do(tuple(gone)))
    moves.said.append(f"{path}: {len(more)} new, {len(gone)} gone")


def _added(path: str, line: str) -> Command:
    file, options, filters = crt_line(line)
    return tls.add_to_crt_list(path, file, options=options, filters=filters)


def crt_line(line: str) -> tuple[str, str, tuple[str, ...]]:
    """The file, the options and the names of one line of a crt-list."""
    file, _, rest = line.partition(" ")
    options = ""
    if rest.startswith("["):
        options, _, rest = rest[1:].partition("]")
    return file, options.strip(), tuple(rest.split())


def _entry(line: str) -> tuple[str, tuple[str, ...]]:
    """What tells one entry from another: its certificate, and the names that it is for."""
    file, _, filters = crt_line(line)
    return file, filters


def _of_servers(path: str, text: str) -> bool:
    return any(
        path in section.defaults for (kind, _), section in written.sections(text).items() if kind == "backend"
    )


def _numbered(line: str) -> tuple[str, int]:
    """An entry that runs: its line, and its number in the list."""
    number, _, text = line.partition(" ")
    return text, int(number)


def _gone(running: Running, wanted: Wanted, known: Mapping[str, tuple[str, str]], moves: FileMoves) -> None:
    gone = [path for path in known if path not in wanted.files]
    unused = [
        path for path in gone if known[path][0] == FileKind.CERTIFICATE and path in running.certificates
    ]
    if unused:
        moves.after.append(Forget(tuple(unused)))
        moves.said += [f"{path} goes" for path in unused]
    if gone:  # those too that are not there: one of them may have been begun
        moves.discard.append(Discard(tuple(gone)))
    moves.marks += [written.mark(path, *known[path]) for path in gone]
