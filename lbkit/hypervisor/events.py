"""What happens to domains, as libvirt tells it: plain data, for whoever waits for it.

Events are a hint to look, not a record: what happens while a connection is lost is told by nobody. So `DISCONNECTED` is
one as well, and `CONNECTED` says that from now on all is told again.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import Unreachable, binding, said
from lbkit.hypervisor.resolved import ResolvedHost

if TYPE_CHECKING:
    import libvirt

CONNECTED = "connected"
DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """`event` and `detail` are libvirt's words in lower case: "stopped" and "crashed", "started" and "booted".

    Of a host as such ("connected", "disconnected") `domain` is "".
    """

    host: str
    uri: str
    domain: str
    event: str
    detail: str = ""


class Events:
    """Domain events of several hosts in one queue. `renew` from time to time connects again what was lost.

    It has connections of its own: closing them takes nothing from others.
    """

    def __init__(self, hosts: Iterable[ResolvedHost]) -> None:
        self.queue: queue.SimpleQueue[DomainEvent] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._connections = {host: Connection(host) for host in hosts}
        self._live: set[ResolvedHost] = set()

    def renew(self) -> dict[str, Unreachable]:
        """Listen wherever nobody does. The hosts that cannot be reached, by name, with why."""
        failures: dict[str, Unreachable] = {}
        for host, connection in self._connections.items():
            with self._lock:
                if host in self._live:
                    continue
            try:
                self._listen(host, connection)
            except Unreachable as error:
                failures[host.name] = error
        return failures

    def wait(self, timeout: float) -> list[DomainEvent]:
        """All that happened since the last time; waits at most `timeout` seconds for a first one."""
        happened = []
        with contextlib.suppress(queue.Empty):
            happened.append(self.queue.get(timeout=timeout))
            while True:
                happened.append(self.queue.get_nowait())
        return happened

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        with self._lock:
            self._live.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self, host: ResolvedHost, connection: Connection) -> None:
        module = binding()
        words = _Words()

        def happened(
            _raw: libvirt.virConnect, domain: libvirt.virDomain, event: int, detail: int, _opaque: Any
        ) -> None:
            event_word, detail_word = words.of(event, detail)
            self.queue.put(DomainEvent(host.name, host.uri, domain.name(), event_word, detail_word))

        def closed(_raw: libvirt.virConnect, reason: int, _opaque: Any) -> None:
            with self._lock:
                self._live.discard(host)
            self.queue.put(DomainEvent(host.name, host.uri, "", DISCONNECTED, words.closed(reason)))

        raw = connection.raw
        with said("libvirt was to tell of its domains", connection.where):
            with contextlib.suppress(module.libvirtError):  # the test driver never closes
                raw.registerCloseCallback(closed, None)
            raw.domainEventRegisterAny(None, module.VIR_DOMAIN_EVENT_ID_LIFECYCLE, happened, None)
        with self._lock:
            self._live.add(host)
        self.queue.put(DomainEvent(host.name, host.uri, "", CONNECTED))


class _Words:
    """libvirt's numbers as words, from the names of its constants: VIR_DOMAIN_EVENT_STOPPED_CRASHED."""

    def __init__(self) -> None:
        module = binding()
        prefix = "VIR_DOMAIN_EVENT_"
        self._events = {
            getattr(module, prefix + word.upper()): word
            for word in _EVENTS
            if hasattr(module, prefix + word.upper())
        }
        names = [name for name in dir(module) if name.startswith(prefix)]
        self._details = {
            (event, getattr(module, name)): name[len(prefix) + len(word) + 1 :].lower().replace("_", " ")
            for event, word in self._events.items()
            for name in names
            if name.startswith(f"{prefix}{word.upper()}_")
        }
        close = "VIR_CONNECT_CLOSE_REASON_"
        self._reasons = {
            getattr(module, name): name[len(close) :].lower()
            for name in dir(module)
            if name.startswith(close)
        }

    def of(self, event: int, detail: int) -> tuple[str, str]:
        return self._events.get(event, f"event {event}"), self._details.get((event, detail), "")

    def closed(self, reason: int) -> str:
        return self._reasons.get(reason, "")


# virDomainEventType, libvirt-domain.h
_EVENTS = (
    *("defined", "undefined", "started", "suspended", "resumed"),
    *("stopped", "shutdown", "pmsuspended", "crashed"),
)
