"""When what was seen before turns out not to be so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lbkit.base.errors import Failure

T = TypeVar("T")

_TIMES = 16


class LookAgain(Failure):
    """Something that was believed is not any more: all is to be looked at anew, and will look otherwise."""


def looked(look: Callable[[], T]) -> T:
    """What `look` gives, which is called again a few times where it raises LookAgain."""
    for _ in range(_TIMES):
        try:
            return look()
        except LookAgain:
            continue
    return look()
