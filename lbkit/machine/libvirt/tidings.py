"""That something happened to a topology's virtual machines on a host, rung as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lbkit.engine.events import Bell, Events
from lbkit.hypervisor.events import DISCONNECTED, DomainEvent, listening
from lbkit.hypervisor.failures import Unreachable
from lbkit.hypervisor.resolved import ResolvedHost

# of virDomainEventType. That one is defined or undefined says little: lbkit notes things on its domains all the time
_WORTH_A_LOOK = frozenset(
    {"started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed"}
)


@contextmanager
def told_by(at: ResolvedHost, topology: str) -> Iterator[Events]:
    """Breaks off when the connection does: from then on nobody knows."""

    def tell(event: DomainEvent) -> None:
        if event.event == DISCONNECTED:
            bell.break_off(
                Unreachable(
                    "libvirt was to tell of its domains",
                    found=f"the connection is lost{f' ({event.detail})' if event.detail else ''}",
                    where=f"host {at.name} ({at.uri})",
                )
            )
        elif event.domain.startswith(f"{topology}.") and event.event in _WORTH_A_LOOK:
            bell.ring(_in_words(event))

    with Bell() as bell, listening(at, tell):
        yield bell


def _in_words(event: DomainEvent) -> str:
    detail = f" ({event.detail})" if event.detail and event.detail != event.event else ""
    return f"{event.domain} on {event.host}: {event.event}{detail}"
