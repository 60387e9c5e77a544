"""The entries of a map, or of an ACL's list, of a HAProxy that runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lbkit.engine.change import Impact
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Key
from lbkit.haproxy.direct.disk import expected, put
from lbkit.haproxy.direct.entries import Edit, Kind, Pair, WantedEntries, edit, lines, shown, told, wanted_of
from lbkit.haproxy.direct.level import needs_admin
from lbkit.haproxy.direct.loaded import is_loaded
from lbkit.haproxy.direct.map_file import edited
from lbkit.haproxy.direct.reach import TIMEOUT, reach, where_of
from lbkit.haproxy.direct.work import Work, carry
from lbkit.haproxy.runtime import Command, Runtime
from lbkit.haproxy.runtime.commands import patterns
from lbkit.haproxy.runtime.patterns import Entry
from lbkit.haproxy.runtime.questions import ACLS, MAPS, acl_entries, map_entries
from lbkit.haproxy.runtime.transactions import replace_entries
from lbkit.haproxy.transition.steps import Replace

_LOOKS = 10_000_000
"""Entries that are looked at for changes one by one before all is replaced at once: half a second of 2.6."""


def plan_map(socket: str, wanted: WantedEntries, *, timeout: float = TIMEOUT) -> Plan:
    """What `apply_map` would do now. Failure where HAProxy has loaded no map and no list of that name."""
    with reach(socket, timeout) as runtime:
        return _work(runtime, wanted, where_of(socket)).plan


def apply_map(
    socket: str, wanted: WantedEntries, *, promised: Plan | None = None, timeout: float = TIMEOUT
) -> Plan:
    """Have the entries as wanted; what was done. PlanChanged where that is not what was `promised`.

    One command is enough, or entries are only added: by commands, one entry after the other. Else all of it at once,
    so that no request sees some old and some new. Without `exclusive` by commands too, for others may add entries meanwhile, unless
    there are so many that HAProxy would be busy with them.
    """
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        return carry(lambda each: _work(each, wanted, where), runtime, promised, where)


def _work(runtime: Runtime, wanted: WantedEntries, where: str) -> Work:
    needs_admin(runtime, where)
    kind = _kind(runtime, wanted.name, where)
    wanted.check(kind)
    question = map_entries if kind == "map" else acl_entries
    entries = runtime.read(question(wanted.name))
    have = [(entry.key, entry.value) for entry in entries]
    want = wanted_of(have, wanted)
    work = Work()
    if have != want:
        act = _commands(kind, wanted.name, entries, want, few=wanted.exclusive)
        whole = Replace(kind, wanted.name, tuple(lines(want)))
        work.add(
            Key(kind, wanted.name),
            told(have, want),
            act or (lambda: replace_entries(runtime, kind, wanted.name, whole.entries)),
            before={"entries": shown(have, wanted)},
            after={"entries": shown(want, wanted)},
            steps=whole.lines,
        )
    if wanted.persist:
        _on_disk(work, kind, wanted)
    else:
        work.notes.append(
            f"live only: at its next reload HAProxy reads {wanted.name} anew, which is not written (`persist`)"
        )
    return work


def _kind(runtime: Runtime, name: str, where: str) -> Kind:
    maps = {each.file for each in runtime.read(MAPS)}
    lists = {each.file for each in runtime.read(ACLS)}
    is_loaded("the map or ACL list", name, (maps | lists) - {""}, where)
    return "map" if name in maps else "acl"


def _commands(
    kind: Kind, name: str, have: Sequence[Entry], want: Sequence[Pair], *, few: bool
) -> tuple[Command, ...]:
    """What makes `want` of `have`, each command right in itself; none where all is to be replaced.

    That is where it is to be `few`, one command or additions alone, and is not; and where there are very many.
    """
    change = edit([(entry.key, entry.value) for entry in have], want)
    unsaid = [(index, value) for index, value in change.other if "<<" in value]  # a payload can say it alone
    if few and (unsaid or len({have[index].key for index in (*change.go, *dict(change.other))}) > 1):
        return ()
    if not few and (unsaid or _many(change, have)) and all(_sayable(kind, pair) for pair in want):
        return ()
    times = Counter(entry.key for entry in have)
    go = [*change.go, *(index for index, _ in unsaid)]
    going = Counter(have[index].key for index in go)
    commands: dict[Command, None] = {}
    for index in go:
        entry = have[index]
        whole = going[entry.key] == times[entry.key]
        commands[_removed(kind, name, entry, whole=whole)] = None
    for index, value in change.other:
        if (index, value) in unsaid:
            continue
        entry = have[index]
        commands[
            patterns.set_map(name, entry.key, value)
            if times[entry.key] == 1 and _plain(entry.key)
            else patterns.set_map_entry(name, entry.reference, value)
        ] = None
    if few and (len(commands) > 1 or (commands and change.more)):
        return ()
    if kind == "map":
        again = [(have[index].key, value) for index, value in unsaid]
        more = list(patterns.add_map_entries(name, [*again, *change.more]))
    else:
        more = [patterns.add_acl(name, key) for key, _ in change.more]
    return (*commands, *more)


def _removed(kind: Kind, name: str, entry: Entry, *, whole: bool) -> Command:
    """By its key where all of that go, which reads well; else by what names it alone."""
    if kind == "map":
        if whole and _plain(entry.key):
            return patterns.del_map(name, entry.key)
        return patterns.del_map_entry(name, entry.reference)
    if whole and _plain(entry.key, spaces=True):
        return patterns.del_acl(name, entry.key)
    return patterns.del_acl_entry(name, entry.reference)


def _many(change: Edit, have: Sequence[Entry]) -> bool:
    """2.6 looks for an entry among all, one after the other, and serves nobody meanwhile: 20 ms among 100,000."""
    return (len(change.go) + len(change.other)) * len(have) > _LOOKS


def _sayable(kind: Kind, pair: Pair) -> bool:
    """Whether a replacement can say an entry that is not of ours: a file may have odd ones."""
    key, value = pair
    if kind == "acl":
        return _plain(key, spaces=True)
    return patterns.is_key(key) and patterns.is_value(value)


def _plain(key: str, *, spaces: bool = False) -> bool:
    return patterns.is_key(key, spaces=spaces) and "<<" not in key


def _on_disk(work: Work, kind: Kind, wanted: WantedEntries) -> None:
    there = expected(wanted.name, wanted.folder)
    have, want, content = edited(there.content, kind, wanted)
    if have == want:
        return
    work.add(
        Key("file", str(there.path)),
        f"read at the next start: {told(have, want)}",
        lambda: put(there.path, content, there.mode, there.owner),
        before={"entries": shown(have, wanted)},
        after={"entries": shown(want, wanted)},
        impact=Impact.NONE,
        steps=(f"write {there.path}",),
    )
