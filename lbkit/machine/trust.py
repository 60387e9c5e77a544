"""What becomes of a machine whose guest does not do as machines do: for the rest of this process it does not answer.

In a namespace lbkit itself looks and acts: there a failure is one of its host, and goes on to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.again import LookAgain
from lbkit.engine.scope import Scope
from lbkit.machine.handle import drivers


@contextmanager
def looking(scope: Scope, host: Host, member: str) -> Iterator[None]:
    """Around what is asked of a machine to see what stands in it. LookAgain where its guest fails at that."""
    try:
        yield
    except Failure as error:
        if not isinstance(error, LookAgain):
            distrust(scope, host, member, error.found or error.wanted)
        raise


def distrust(scope: Scope, host: Host, member: str, why: str) -> None:
    """Raises LookAgain where there is a guest; nothing where there is none."""
    if _distrusted(scope, host, member, why):
        raise LookAgain(
            f"machine {member} was to tell what runs in it",
            found=why,
            where=f"machine {member}",
            remedy="look again: as one that does not answer it is replaced",
        )


def removed(scope: Scope, host: Host, member: str, remove: Callable[[], None], words: str) -> str:
    """`words`, once something is removed from a machine. Where its guest will not, it goes with the machine."""
    try:
        remove()
    except Failure as error:
        why = error.found or error.wanted
        if not _distrusted(scope, host, member, why):
            raise
        return f"its guest did not do it ({why}): it goes with its machine"
    return words


def _distrusted(scope: Scope, host: Host, member: str, why: str) -> bool:
    # one that changes its driver may still be another one's than it is declared
    return any(each.distrust(scope, host, member, why) for each in drivers(scope, host))
