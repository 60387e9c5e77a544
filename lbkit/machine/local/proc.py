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

    A process that becomes a service forks once, and ends (shim.py): where any ended before it was looked at, or was about
    to, its child may have come after the list was read. Then a second look finds that.
    """
    seen, gone = _look()
    return seen | _look()[0] if gone else seen


def _look() -> tuple[dict[Stat, str], bool]:
    seen: dict[Stat, str] = {}
    gone = False
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = read_stat(int(entry))
        if stat is None or stat.dead:
            gone = True
            continue
        seen[stat] = service_mark(stat.pid)
        if not seen[stat] and ((again := read_stat(stat.pid)) is None or again.dead or again.leaving):
            gone = (
                True  # its memory goes first, with its mark in it, and under load its end may be long after
            )
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
    """What execve(2) gave it; waits for one that is being carried out, during which there is none to see."""
    deadline = time.monotonic() + _EXECUTED_BY
    while not (environment := _read(f"/proc/{pid}/environ")):
        if not _is_executing(pid) or time.monotonic() > deadline:
            break
        time.sleep(0.001)
    return environment


def _is_executing(pid: int) -> bool:
    """Whether it is a living process with memory, but has not yet been given a place for its environment (field 50)."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    has_memory = fields[0] not in {b"Z", b"X", b"x"} and not int(fields[6]) & (_PF_KTHREAD | _PF_EXITING)
    return has_memory and int(fields[47]) == 0


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
