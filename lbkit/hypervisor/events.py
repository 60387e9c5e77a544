"""What happens to domains, as libvirt tells it: plain data, for whoever waits for it.

Events are a hint to look, not a record: what happens while a connection is lost is told by nobody. So `DISCONNECTED` is
one as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import binding
from lbkit.hypervisor.resolved import ResolvedHost

if TYPE_CHECKING:
    import libvirt

DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """`event` and `detail` are libvirt's words in lower case: "stopped" and "crashed", "started" and "booted".

    Of a host as such ("disconnected") `domain` is "".
    """

    host: str
    uri: str
    domain: str
    event: str
    detail: str = ""


@contextmanager
def listening(host: ResolvedHost, tell: Callable[[DomainEvent], None]) -> Iterator[None]:
    """`tell` each event of a host's domains, in libvirt's thread: it must not wait. Raises Unreachable.

    Told of `DISCONNECTED` it hears nothing more. It has a connection of its own: closing it takes nothing from others.
    """
    module = binding()
    words = _Words()

    def happened(
        _raw: libvirt.virConnect, domain: libvirt.virDomain, event: int, detail: int, _opaque: Any
    ) -> None:
        event_word, detail_word = words.of(event, detail)
        tell(DomainEvent(host.name, host.uri, domain.name(), event_word, detail_word))

    def lost(reason: int) -> None:
        tell(DomainEvent(host.name, host.uri, "", DISCONNECTED, words.closed(reason)))

    connection = Connection(host)
    try:
        with connection.doing("libvirt was to tell of its domains") as raw:
            number = raw.domainEventRegisterAny(None, module.VIR_DOMAIN_EVENT_ID_LIFECYCLE, happened, None)
        try:
            with connection.mourned_by(lost):
                if not raw.isAlive():  # since just now: nobody would tell
                    lost(-1)
                yield
        finally:
            with contextlib.suppress(module.libvirtError):
                raw.domainEventDeregisterAny(number)  # it would keep the connection open
    finally:
        connection.close()


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
