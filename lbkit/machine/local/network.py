"""The network that a machine's programs run in, where that is one of this kernel's."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

NetworkIdentity = tuple[int, int] | None
"""Device and inode of a network namespace; None where it does not stand."""


class Network(Protocol):
    def entered(self) -> AbstractContextManager[None]:
        """The calling thread, and what it starts, in the network for the block. Sockets opened inside stay there."""
        ...

    def identity(self) -> NetworkIdentity: ...


class OwnNetwork:
    """The one that lbkit itself is in: a guest's."""

    def entered(self) -> AbstractContextManager[None]:
        return nullcontext()

    def identity(self) -> NetworkIdentity:
        status = os.stat("/proc/thread-self/ns/net")
        return status.st_dev, status.st_ino
