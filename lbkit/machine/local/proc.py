"""Processes as /proc tells of them (proc(5)). A process is known by its pid and its start time, never by the pid alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

SERVICE = "LBKIT_SERVICE"
"""The variable that marks a process, and all that it forks, as TOPOLOGY/MEMBER/SERVICE's."""

_PF_EXITING, _PF_KTHREAD = 0x00000004, 0x00200000  # linux/sched.h
_LOOKS = 8  # at /proc, for one census: each but the first is for what came and went during the one before
_EXECUTED_BY = 10.0  # seconds that an execve may take on a host under load: it may wait for a disk


@dataclass(frozen=True, slots=True)
class Stat:
    """Of /proc/PID/stat: `start_time` is field 22, in clock ticks since boot; `session` field 6."""

    pid: int
    start_time: int
    parent: int
    session: int
    dead: bool  # a zombie: it only waits for its parent to look
    leaving: bool = False  # on its way to its end (PF_EXITING): what it was cannot be seen any more


def read_stat(pid: int) -> Stat | None:
    """None where there is no such process."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # the second field is the command's name, which may hold spaces and brackets
    fields = text.rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    # a leader that ended before its threads looks like a zombie, but the process lives on in them
    dead = fields[0] in {b"Z", b"X", b"x"} and int(fields[17]) <= 1
    leaving = bool(int(fields[6]) & _PF_EXITING)
    return Stat(pid, int(fields[19]), int(fields[1]), int(fields[3]), dead, leaving)


def every_stat() -> Iterator[Stat]:
    """All processes that live now. Those that come and go meanwhile may be missed."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := read_stat(int(entry))) is not None and not stat.dead:
            yield stat


def census() -> dict[Stat, str]:
    """All processes that live now, with their marks.

    A process that becomes a service forks once, and ends (shim.py). Whoever ends before it was looked at may have forked
    one that came after the list was read: then there is another look, until all who ended were known before.
    """
    latest: dict[tuple[int, int], Stat] = {}
    marks: dict[tuple[int, int], str] = {}
    known: set[int] = set()
    for _ in range(_LOOKS):
        seen, gone = _look()
        for stat, mark in seen.items():
            who = stat.pid, stat.start_time
            latest[who] = stat
            marks[who] = marks.get(who) or mark  # by the next look it may be on its way to its end
        if gone <= known:
            break
        known |= gone | {stat.pid for stat in seen}
    return {stat: marks[who] for who, stat in latest.items()}


def _look() -> tuple[dict[Stat, str], set[int]]:
    """Those that live, and the pids of those that ended before it could be seen whose they were."""
    seen: dict[Stat, str] = {}
    gone: set[int] = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = read_stat(int(entry))
        if stat is None or stat.dead:
            gone.add(int(entry))
            continue
        seen[stat] = service_mark(stat.pid)
        if not seen[stat] and ((again := read_stat(stat.pid)) is None or again.dead or again.leaving):
            gone.add(stat.pid)  # its memory goes first, with its mark in it, and its end may be long after
    return seen, gone


def service_mark(pid: int) -> str:
    """What stands in its LBKIT_SERVICE; "" where there is none, or the process is not ours to look into.

    A process of another pid namespace is none of ours: it is a rehearsal's, in a sandbox on this host.
    """
    try:
        environment = _environment(pid)
    except OSError:
        return ""
    for variable in environment.split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name == SERVICE.encode():
            return value.decode(errors="replace") if _same_pid_namespace(pid) else ""
    return ""


def _environment(pid: int) -> bytes:
    """What execve(2) gave it. While one is being carried out there is none to see: that is waited for.

    None is seen either where one came between opening and reading, which is of the memory from before: so an empty one
    counts only where the memory is the same before and after.
    """
    deadline = time.monotonic() + _EXECUTED_BY
    environment = _read(f"/proc/{pid}/environ")
    while not environment and (memory := _memory(pid)) is not None and time.monotonic() < deadline:
        environment = _read(f"/proc/{pid}/environ")
        if environment or (memory[0] != b"0" and memory == _memory(pid)):
            break
        time.sleep(0.001)
    return environment


def _memory(pid: int) -> tuple[bytes, ...] | None:
    """Where its code, stack and environment begin (fields 26, 28 and 50 of its stat), which the loader lays by chance.

    The first is 0 until all of an execve is done (linux/fs/binfmt_elf.c: `start_code` is set after the tables).
    None: it has no memory.
    """
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if fields[0] in {b"Z", b"X", b"x"} or int(fields[6]) & (_PF_KTHREAD | _PF_EXITING):
        return None
    return fields[23], fields[25], fields[47]


def network_of(pid: int) -> tuple[int, int] | None:
    """Device and inode of its network namespace; None where that cannot be seen."""
    return _identity(f"/proc/{pid}/ns/net")


@cache
def boot_id() -> str:
    """A start time means something within one boot only."""
    return _read("/proc/sys/kernel/random/boot_id").decode().strip()


def _same_pid_namespace(pid: int) -> bool:
    return _identity(f"/proc/{pid}/ns/pid") == _identity("/proc/self/ns/pid")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as stream:
        return stream.read()
