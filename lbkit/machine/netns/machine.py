"""One machine of the driver `netns`: a named network namespace, and processes of this host in it."""

from __future__ import annotations

from lbkit.base.host import Host
from lbkit.machine.local.machine import LocalMachine
from lbkit.machine.netns.network import Namespace


class NetnsMachine(LocalMachine):
    """See `lbkit.machine.contract.Machine`. Cheap to make; holds nothing open."""

    def __init__(self, topology: str, host: Host, member: str) -> None:
        super().__init__(topology, host, member, Namespace(host, topology, member))
