"""How a process gets a session with a guest: it takes a port that no other process has, and keeps the session.

QEMU serves one connection of a port at a time, so a port is taken by a lock beside it: where its folder is not there (a
machine of another host, made from elsewhere) none is made, and the port alone says that somebody has it. A session is used by all
threads of a process, is dropped when it is broken, and rests by itself, so that others get their turn.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.machine.guest.hello import Hello
from lbkit.machine.guest.pack import Packed
from lbkit.machine.guest.session import HELLO_WITHIN, GuestGone, Session

T = TypeVar("T")

IDLE = 10.0
"""Seconds after which a session that nobody uses gives its port back."""

_FREE_WITHIN = 60.0  # seconds to wait for a port where all are taken
_RENEWED_WITHIN = 60.0  # seconds from a new program's coming to its answer
_HARMLESS = frozenset(
    {"fetch", "files", "log", "addresses", "path_to", "running", "processes", "look"}
)  # to ask again where nobody knows whether it was answered


@dataclass(frozen=True, slots=True)
class Port:
    """`name` is that of its lock. `connect` gives a connected stream socket, or raises OSError: EBUSY where somebody has it."""

    name: str
    connect: Callable[[], socket.socket]


def unix_port(path: Path) -> Port:
    """The host's end of a virtio-serial port whose backend is a unix socket that QEMU listens on."""
    return Port(path.name, lambda: _connected(path))


@dataclass(frozen=True, slots=True)
class Line:
    """What can be asked of one guest, as of a session (`remote.Asked`). Cheap to make; sessions are kept by `key`.

    `key` names the machine and its generation. `locks` is a folder for the locks of its ports, if it is there. `expected` is topology
    and member: another guest that answers is a Failure. Calls raise what `Session`'s do; Failure where no port
    gets free.
    """

    key: Hashable
    ports: Sequence[Port]
    locks: Path
    where: str
    expected: tuple[str, str] | None = None
    hello_within: float = HELLO_WITHIN
    free_within: float = _FREE_WITHIN
    clock: Clock = field(default_factory=SystemClock)

    def call(
        self, method: str, params: dict[str, Any], payload: bytes = b"", *, timeout: float = 30.0
    ) -> tuple[Any, bytes]:
        return self._with(
            lambda session: session.call(method, params, payload, timeout=timeout), again=method in _HARMLESS
        )

    def open_unix(self, path: str, *, timeout: float = 5.0) -> socket.socket:
        return self._with(lambda session: session.open_unix(path, timeout=timeout))

    def open_tcp(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        return self._with(lambda session: session.open_tcp(address, port, timeout=timeout))

    def guest(self) -> Hello:
        """Who answers, as it says when a session begins."""
        return self._session().guest

    def renew(self, program: Packed) -> None:
        """Have the guest go on with another program, and wait until that one answers. Services do not notice."""
        session = self._session()
        session.call("renew", {}, program.content, timeout=_RENEWED_WITHIN * 2)
        session.wait_until_gone(_RENEWED_WITHIN)
        self.drop()
        try:
            found = self._session().guest.program
        except GuestGone:  # it was the former one, at its very end
            found = self._session().guest.program
        if found != program.digest:
            raise Failure(
                f"the guest was to go on with program {program.digest}",
                found=f"{found} answers",
                where=self.where,
            )

    def drop(self) -> None:
        """Close the session that is kept, if one is."""
        _SESSIONS.drop(self.key)

    def _with(self, ask: Callable[[Session], T], *, again: bool = False) -> T:
        session = self._session()
        try:
            return ask(session)
        except GuestGone as gone:
            _SESSIONS.drop(self.key, session)
            if not (gone.untried or again):
                raise
        return ask(self._session())

    def _session(self) -> Session:
        session = _SESSIONS.get(self.key, self._open)
        found = (session.guest.topology, session.guest.member)
        if self.expected is not None and found not in {self.expected, ("", "")}:
            _SESSIONS.drop(self.key, session)
            raise Failure(
                f"machine {self.expected[1]} of {self.expected[0]} was to answer",
                found=f"the guest says that it is {found[1]} of {found[0]}",
                where=self.where,
            )
        return session

    def _open(self) -> Session:
        connection, let_go = self._connected()
        return Session(
            connection,
            where=self.where,
            within=self.hello_within,
            idle=IDLE,
            release=let_go,
        )

    def _connected(self) -> tuple[socket.socket, Callable[[], None]]:
        """To a port that nobody has, and what lets go of its lock."""
        deadline = self.clock.monotonic() + self.free_within
        while True:
            for port in self.ports:
                let_go = _locked(self.locks / f"{port.name}.lock")
                if let_go is None:
                    continue
                try:
                    return port.connect(), let_go
                except OSError as error:
                    let_go()
                    if error.errno != errno.EBUSY:  # somebody has it who does not see our locks
                        words = error.strerror or str(error)
                        raise GuestGone(
                            f"port {port.name}: {words}", where=self.where, untried=True
                        ) from error
            if self.clock.monotonic() >= deadline:
                raise Failure(
                    "a port of the guest was to be free",
                    found=f"other processes have all {len(self.ports)}, after {self.free_within:g} s of waiting",
                    where=self.where,
                    remedy="let them finish: `lsof` on the locks in " + str(self.locks) + " names them",
                )
            self.clock.sleep(0.05)


@dataclass(slots=True)
class _Opening:
    """Of one key: as long as threads want it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class _Sessions:
    """Those of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[Hashable, _Opening] = {}
        self._kept: dict[Hashable, Session] = {}

    def get(self, key: Hashable, make: Callable[[], Session]) -> Session:
        """The one that is kept, or a new one: threads that want the same wait for it."""
        with self._one_by_one(key):
            with self._lock:
                self._kept = {each: kept for each, kept in self._kept.items() if kept.gone is None}
                kept = self._kept.get(key)
            if kept is None:
                kept = make()
                with self._lock:
                    self._kept[key] = kept
            return kept

    @contextlib.contextmanager
    def _one_by_one(self, key: Hashable) -> Iterator[None]:
        with self._lock:
            opening = self._opening.setdefault(key, _Opening())
            opening.threads += 1
        try:
            with opening.lock:
                yield
        finally:
            with self._lock:
                opening.threads -= 1
                if not opening.threads:
                    del self._opening[key]

    def drop(self, key: Hashable, session: Session | None = None) -> None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or session not in {None, kept}:
                return
            del self._kept[key]
        kept.close()

    def after_fork(self) -> None:
        """In the child: they are the parent's."""
        kept = list(self._kept.values())
        self.__init__()  # type: ignore[misc]  # locks may be held by threads that are not here
        for session in kept:
            session.abandon()


_SESSIONS = _Sessions()
os.register_at_fork(after_in_child=_SESSIONS.after_fork)


def _locked(path: Path) -> Callable[[], None] | None:
    """What lets go of the lock, as the end of its process does; None where another one holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return _nothing
    except OSError as error:
        raise FileFailure("opened as a lock", path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return partial(os.close, descriptor)


def _nothing() -> None: ...


def _connected(path: Path) -> socket.socket:
    # by the folder's descriptor: a socket's address holds 107 bytes (unix(7)), a path may be longer
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, folder)
        connection.settimeout(0)  # with its queue full, it would wait for ever: so EAGAIN
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        return connection.dup()
