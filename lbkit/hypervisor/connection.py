"""Connections to libvirt: one for each URI and process, opened when first asked for, opened again when lost.

No call waits for ever. Opening is given up after a time; on an open connection keepalive closes what does not
answer, and with it ends every call that waits there (libvirt.org/html/libvirt-libvirt-host.html,
virConnectSetKeepAlive). A libvirt that answers, but is busy with one domain, gives up after 30 s by itself.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from lbkit.hypervisor import loop
from lbkit.hypervisor.failures import Unreachable, binding, failure, one_line, said
from lbkit.hypervisor.resolved import ResolvedHost

if TYPE_CHECKING:
    import libvirt

R = TypeVar("R")

KEEPALIVE = 5  # seconds from question to question
UNANSWERED = 3  # questions: a libvirt that hangs is given up after 20 s
_NOT_AGAIN = (
    30.0  # seconds in which a host that gave no answer is not asked again: one plan asks for many things
)
OPEN_TIMEOUT = 15.0  # seconds; a libvirtd that starts up makes its callers wait


class Connection:
    """The way to one host's libvirt. Any thread may use it, several at once.

    `raw` is libvirt's own object, alive. Around what it is asked stands `doing`, which makes failures of its errors.
    """

    def __init__(self, host: ResolvedHost, *, open_timeout: float = OPEN_TIMEOUT) -> None:
        self.host = host
        self._open_timeout = open_timeout
        self._lock = threading.Lock()
        self._raw: libvirt.virConnect | None = None
        self._mourners: set[Callable[[int], None]] = set()

    @property
    def raw(self) -> libvirt.virConnect:
        """Opens it where it was never open or is lost. Raises Unreachable."""
        with self._lock:
            if self._raw is not None and not _alive(self._raw):
                _close(self._raw)
                self._raw = None
            if self._raw is None:
                self._raw = self._opened()
            return self._raw

    @contextlib.contextmanager
    def doing(self, wanted: str) -> Iterator[libvirt.virConnect]:
        """Errors of libvirt in the block are a LibvirtFailed with `wanted`, and this host in `where`."""
        raw = self.raw
        with said(wanted, self.where):
            yield raw

    def read(self, wanted: str, question: Callable[[libvirt.virConnect], R]) -> R:
        """What `question` gives, which changes nothing: asked once more where the connection was lost meanwhile."""
        try:
            with self.doing(wanted) as raw:
                return question(raw)
        except Unreachable:
            with self.doing(wanted) as raw:
                return question(raw)

    @property
    def where(self) -> str:
        return f"host {self.host.name} ({self.host.uri})"

    @contextlib.contextmanager
    def mourned_by(self, mourner: Callable[[int], None]) -> Iterator[None]:
        """For as long as the block lasts: it is called, in libvirt's thread, with libvirt's reason when the connection is lost.

        That happens to connections that are closed here as well. libvirt has room for one such callback, and tells
        streams nothing.
        """
        self._mourners.add(mourner)
        try:
            yield
        finally:
            self._mourners.discard(mourner)

    def _lost(self, _raw: libvirt.virConnect, reason: int, _opaque: object) -> None:
        for mourner in list(self._mourners):
            mourner(reason)

    def close(self) -> None:
        """Until it is used again."""
        with self._lock:
            if self._raw is not None:
                _close(self._raw)
            self._raw = None

    def _opened(self) -> libvirt.virConnect:
        """Nobody can tell libvirt how long to try, nor stop it: a thread that may be left alone waits in our stead."""
        module = binding()
        loop.run()
        if time.monotonic() < _silent_until.get(self.host.uri, 0.0):
            raise self._gives_no_answer()
        answers: queue.SimpleQueue[libvirt.virConnect | libvirt.libvirtError] = queue.SimpleQueue()
        given_up = threading.Event()

        def dial() -> None:
            try:
                raw = module.open(_without_questions(self.host))
            except module.libvirtError as error:
                answers.put(error)
                return
            if given_up.is_set():
                _close(raw)
            else:
                answers.put(raw)

        threading.Thread(target=dial, name=f"open {self.host.name}", daemon=True).start()
        try:
            answer = answers.get(timeout=self._open_timeout)
        except queue.Empty:
            given_up.set()
            _silent_until[self.host.uri] = time.monotonic() + _NOT_AGAIN
            raise self._gives_no_answer() from None
        if isinstance(answer, module.libvirtError):
            raise self._refused(answer) from answer
        with contextlib.suppress(module.libvirtError):  # the test driver has none
            answer.setKeepAlive(KEEPALIVE, UNANSWERED)
            answer.registerCloseCallback(self._lost, None)
        return answer

    def _gives_no_answer(self) -> Unreachable:
        return Unreachable(
            "libvirt was to be reached",
            found=f"no answer within {self._open_timeout:g} s",
            where=self.where,
            remedy="look whether the host is up and its libvirtd not stuck: virsh -c URI list",
        )

    def _refused(self, error: libvirt.libvirtError) -> Unreachable:
        told = failure(error, "libvirt was to be reached", self.where)
        return Unreachable(
            told.wanted,
            found=told.found,
            where=self.where,
            remedy=told.remedy,
            code=told.code,
            source=told.source,
        )


_silent_until: dict[str, float] = {}
_lock = threading.Lock()
_open: dict[ResolvedHost, Connection] = {}
_owner = 0


def connect(host: ResolvedHost) -> Connection:
    """The process's connection to `host`. It is not opened yet: that is the first question's business.

    A fork does not share its parent's, which would mix up their answers; it may open some where its parent has none.
    """
    global _owner  # noqa: PLW0603 - the cache belongs to a process
    with _lock:
        if _owner != os.getpid():
            _open.clear()
            _owner = os.getpid()
        if not _open:
            atexit.register(
                close_all
            )  # at the end of Python the binding can close nothing any more, and says so
        return _open.setdefault(host, Connection(host))


def close_all() -> None:
    """Close every connection of this process; each opens again when it is used."""
    with _lock:
        for connection in _open.values():
            connection.close()
        _open.clear()


def _without_questions(host: ResolvedHost) -> str:
    """Let ssh not ask for a password, on the terminal of whoever runs an apply."""
    if host.transport != "ssh" or "no_tty=" in host.uri:
        return host.uri
    return f"{host.uri}{'&' if '?' in host.uri else '?'}no_tty=1"


def _alive(raw: libvirt.virConnect) -> bool:
    libvirt = binding()
    try:
        return bool(raw.isAlive())
    except libvirt.libvirtError:
        return False


def _close(raw: libvirt.virConnect) -> None:
    libvirt = binding()
    with contextlib.suppress(libvirt.libvirtError):  # the test driver has none
        raw.unregisterCloseCallback()  # it would keep the connection open
    with contextlib.suppress(libvirt.libvirtError):  # it is lost already
        raw.close()


def version(connection: Connection) -> str:
    """Of the host, in words: QEMU 7.2.22, libvirt 9.0.0."""

    def ask(raw: libvirt.virConnect) -> str:
        return (
            f"{one_line(raw.getType())} {_dotted(raw.getVersion())}, libvirt {_dotted(raw.getLibVersion())}"
        )

    return connection.read("libvirt's version was to be read", ask)


def _dotted(number: int) -> str:
    """1000000 * major + 1000 * minor + release."""
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
