"""One watcher for a topology, on one host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.lock import Locked, locked


class Watched(Failure):
    """Somebody else watches this topology."""


@contextlib.contextmanager
def alone(topology: str, host: Host) -> Iterator[None]:
    """Be the only watcher of the topology on this host. Watched names the other one."""
    try:
        with locked(host.run_dir / f"{topology}.watch.lock", host.clock):
            yield
    except Locked as error:
        if error.path.name != f"{topology}.watch.lock":
            raise
        raise Watched(
            f"topology {topology!r} was to be watched",
            found=f"it is by {error.holder or 'another process'}",
            remedy="one is enough; end that one first",
        ) from None
    with contextlib.suppress(OSError):  # another topology lives there
        host.run_dir.rmdir()
