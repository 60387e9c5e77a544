"""A way to a server: by lbkit's own network, or from inside the machine of this topology that it runs in.

From inside, no route, gateway or filter of the host has a say: who stands, answers.
"""

from __future__ import annotations

import socket

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.dns.client import Client
from lbkit.dns.errors import Unreachable
from lbkit.dns.resolved import ResolvedServer, ResolvedZone
from lbkit.dns.tsig import TsigKey
from lbkit.engine.scope import Scope
from lbkit.machine.handle import machine

PATIENCE = 5.0  # seconds to connect


def client(
    zone: ResolvedZone, server: ResolvedServer, key: TsigKey | None, scope: Scope, host: Host
) -> Client:
    """A connected client. Raises Unreachable where nobody listens."""
    return Client(_connect(zone, server, scope, host), zone.name, str(server), key)


def _connect(zone: ResolvedZone, server: ResolvedServer, scope: Scope, host: Host) -> socket.socket:
    address = str(server.address)
    try:
        if server.machine is not None:
            return machine(scope, host, server.machine).dial(address, server.port, timeout=PATIENCE)
        return socket.create_connection((address, server.port), PATIENCE)
    except OSError as error:
        raise Unreachable(zone.name, str(server), error.strerror or f"no answer in {PATIENCE:g} s") from error
    except Failure as failure:
        if isinstance(failure.__cause__, PermissionError):
            raise  # it may stand: only that cannot be seen
        raise Unreachable(zone.name, str(server), failure.found or failure.wanted) from failure
