"""Wait until a started service accepts connections."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.machine.contract import Machine
from lbkit.machine.resolved import ResolvedService

_FIRST, _LAST = 0.01, 0.2  # seconds between two looks: a port tells nobody that it opens


class NotReady(Failure):
    """A service was started, and did not come to accept connections."""


def wait_until_ready(
    machine: Machine, service: ResolvedService, addresses: Sequence[str], clock: Clock
) -> None:
    """Until its port accepts a connection on one of `addresses`, or on localhost. NotReady where it does not."""
    if service.ready is None:
        return
    deadline = clock.monotonic() + service.ready.timeout
    pause = _FIRST
    while True:
        refused = accepts(machine, [*addresses, "127.0.0.1", "::1"], service.ready.port)
        if not refused:
            return
        if service.name not in machine.running():
            raise _not_ready(machine, service, "it died")
        if clock.monotonic() >= deadline:
            raise _not_ready(machine, service, f"{refused} after {service.ready.timeout:g} s")
        clock.sleep(pause)
        pause = min(pause * 2, _LAST)


def accepts(machine: Machine, addresses: Sequence[str], port: int) -> str:
    """Why none of the addresses accepts a connection; "" where one does."""
    found = "no address"
    for address in addresses:
        try:
            machine.dial(address, port, timeout=1.0).close()
        except Failure as error:
            found = error.found
        else:
            return ""
    return found


def _not_ready(machine: Machine, service: ResolvedService, found: str) -> NotReady:
    port = service.ready.port if service.ready else 0
    last = " / ".join(machine.log(service.name, lines=5))
    return NotReady(
        f"it was to accept connections on port {port}",
        found=f"{found}; its log ends: {last}" if last else f"{found}; its log is empty",
        where=f"service {machine.name}/{service.name}",
        remedy=f"look at {machine.folder(service.name) / 'log'}; the next apply starts it again",
    )
