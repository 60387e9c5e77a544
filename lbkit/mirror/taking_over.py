"""After a promotion: until the nodes follow the new master."""

from __future__ import annotations

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.mirror import operations
from lbkit.mirror.answers import Data, MirrorStatus, Progress, told_of
from lbkit.mirror.operations import Watch
from lbkit.mirror.reach import KeeperAway
from lbkit.mirror.talk.lines import Closed

_STATUS_WITHIN, _AGAIN = 5.0, 0.5  # seconds for an answer, and between two questions


def wait(
    scope: Scope, name: str, host: Host | None = None, *, within: float, watch: Watch = lambda _told: None
) -> MirrorStatus:
    """Until the new master has taken over what the node on its machine has, and that is committed. `scope` is the one with the new master.

    Raises NotTakenOver where that takes longer than `within` seconds, or does not come to be.
    """
    host = host or Host()
    deadline = host.clock.monotonic() + within
    while True:
        found: MirrorStatus | None = None
        trouble = "no generation is committed yet"
        try:
            found = operations.status(scope, name, host, patience=_STATUS_WITHIN)
        except (KeeperAway, Closed) as error:
            trouble = error.found
        if found is not None:
            if found.committed is not None and found.committed == found.newest:
                return found
            if found.running is not None and (progress := _progress(found.running)) is not None:
                watch(progress)
            last = found.last
            if last is not None and last.cause == "promotion" and last.came != "made":
                raise NotTakenOver(name, f"the new keeper could not take over what its node has: {last.why}")
            trouble = "; ".join(found.alarms) or trouble
        if host.clock.monotonic() >= deadline:
            raise NotTakenOver(name, f"not within {within:g} s: {trouble}")
        host.clock.sleep(_AGAIN)


def _progress(running: Data) -> Progress | None:
    told = told_of({"progress": running["progress"]}) if running.get("progress") else None
    return told if isinstance(told, Progress) else None


class NotTakenOver(Failure):
    """The file names the new master, and it runs; the nodes do not follow it yet."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(
            f"the new master of mirror {name} was to have its content committed",
            found=found,
            remedy=f"nodes serve on what they have; `lbkit mirror status {name}` says how far it is, and `lbkit mirror sync {name}` "
            "fetches from upstream",
        )
