"""Stop processes for good: all of a service, whatever it forked, and never another one.

What is one of the service's: its recorded process (pid and start time), the rest of that one's session as long
as it can be told to be that session, and every process that bears the service's mark. Signals go through
pidfds, which name a process and not a number (pidfd_open(2)).
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.machine.local.proc import census, read_stat

_KILLED_BY = 10.0  # seconds that the kernel gets to end what was killed

Identity = tuple[int, int]
"""Pid and start time."""


@dataclass(slots=True)
class _Quarry:
    """The processes to stop, with a pidfd each. Closes what is over."""

    marked: Callable[[str], bool]
    recorded: Callable[[], Iterable[Identity]]
    handles: dict[Identity, int] = field(default_factory=dict)
    known: set[Identity] = field(default_factory=set)  # whatever was found, ended or not
    led: set[int] = field(default_factory=set)  # sessions of recorded processes

    def find(self) -> tuple[bool, list[Identity]]:
        """Whether there was any, and those that were not known before.

        What ends while we look may have forked what we did not see: nobody is left only where none was found.
        """
        spared = _self_and_above()
        marks = {stat: mark for stat, mark in census().items() if stat.pid not in spared}
        everyone = {(stat.pid, stat.start_time): stat for stat in marks}
        found = {
            identity
            for identity, stat in everyone.items()
            if identity in self.handles or (marks[stat] and self.marked(marks[stat]))
        }
        # records are read after marks: a process on its way bears its mark until its record is there
        leaders = {identity for identity in self.recorded() if identity[0] not in spared}
        self.led |= {pid for pid, _ in leaders}
        self.known |= leaders
        # A session is theirs beyond doubt while a process that is known is in it: its number is not used anew before.
        sessions = self.led & {stat.session for identity, stat in everyone.items() if identity in self.known}
        of_sessions = {identity for identity, stat in everyone.items() if stat.session in sessions}
        everything = found | leaders | of_sessions
        self.known |= everything
        new = []
        for identity in everything - self.handles.keys():
            descriptor = _open(identity)
            if descriptor is not None:
                self.handles[identity] = descriptor
                new.append(identity)
        return bool(everything), new

    def signal(self, identity: Identity, *numbers: int) -> None:
        for number in numbers:
            _send(self.handles[identity], identity, number)

    def drop_dead(self, seconds: float) -> None:
        """Wait until one of them ends, at most so long; forget all that have ended."""
        poll = select.poll()
        by_handle = {descriptor: identity for identity, descriptor in self.handles.items()}
        for descriptor in by_handle:
            poll.register(descriptor, select.POLLIN)
        # without any, what was found has ended already
        for descriptor, _ in poll.poll(max(0.0, seconds) * 1000 if by_handle else 0):
            del self.handles[by_handle[descriptor]]
            os.close(descriptor)

    def close(self) -> None:
        for descriptor in self.handles.values():
            os.close(descriptor)
        self.handles.clear()


def stop(
    recorded: Callable[[], Iterable[Identity]],
    marked: Callable[[str], bool],
    clock: Clock,
    *,
    timeout: float,
    where: str,
) -> list[int]:
    """SIGTERM to all of them, SIGKILL after `timeout` seconds; the pids that were stopped, once all are gone.

    `recorded` gives the recorded processes that live; it is asked again as long as there are any.
    """
    quarry = _Quarry(marked, recorded)
    stopped: list[int] = []
    try:
        deadline = clock.monotonic() + timeout
        numbers: tuple[int, ...] = (signal.SIGTERM, signal.SIGCONT)  # one that is stopped would not hear
        killing = False
        while True:
            any_left, new = quarry.find()
            for identity in new:
                stopped.append(identity[0])
                quarry.signal(identity, *numbers)
            if not any_left and not quarry.handles:
                return sorted(set(stopped))
            left = deadline - clock.monotonic()
            if left <= 0 and killing:
                raise _unkillable(quarry, where)
            if left <= 0:
                killing, numbers = True, (signal.SIGKILL,)
                deadline = clock.monotonic() + _KILLED_BY
                for identity in quarry.handles:
                    quarry.signal(identity, *numbers)
                continue
            quarry.drop_dead(left)
    finally:
        quarry.close()


def wait(identity: Identity, seconds: float) -> None:
    """Until that one process has ended, at most so long."""
    descriptor = _open(identity)
    if descriptor is None:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
    finally:
        os.close(descriptor)


def send(identity: Identity, number: int) -> bool:
    """A signal to one process; False where it is gone."""
    descriptor = _open(identity)
    if descriptor is None:
        return False
    try:
        return _send(descriptor, identity, number)
    finally:
        os.close(descriptor)


def _send(descriptor: int, identity: Identity, number: int) -> bool:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    except OSError as error:
        raise _refused(identity, error) from error
    return True


def _open(identity: Identity) -> int | None:
    """A pidfd of that very process, or None where it is gone."""
    try:
        descriptor = os.pidfd_open(identity[0])
    except ProcessLookupError:
        return None
    except OSError as error:
        raise _refused(identity, error) from error
    # its start time is read after: where that is right, the number was not another's when it was opened
    stat = read_stat(identity[0])
    if stat is None or stat.dead or stat.start_time != identity[1]:
        os.close(descriptor)
        return None
    return descriptor


def _self_and_above() -> set[int]:
    """Where lbkit itself runs as somebody's service, neither it nor its ancestors are ever stopped."""
    chain: set[int] = set()
    pid = os.getpid()
    while pid > 0 and pid not in chain and (stat := read_stat(pid)) is not None:
        chain.add(pid)
        pid = stat.parent
    return chain


def _refused(identity: Identity, error: OSError) -> Failure:
    return Failure(
        f"process {identity[0]} was to get a signal",
        found=error.strerror or str(error),
        remedy="run as root, or in a sandbox: `lbkit sandbox -- ...`",
    )


def _unkillable(quarry: _Quarry, where: str) -> Failure:
    pids = ", ".join(str(pid) for pid, _ in quarry.handles)
    return Failure(
        "its processes were to end",
        found=f"pid {pids} still there after SIGKILL: the kernel holds it (state D, `ps -o stat,wchan`)",
        where=where,
        remedy="mend what it waits for (a dead disk or network share), then apply again",
    )
