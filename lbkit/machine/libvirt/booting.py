"""Whether a guest that does not answer boots yet. Pure.

What tells is a time in the domain's metadata, of the clock of whoever started it, which goes with the first answer: neither
libvirt nor another host's kernel can be asked when a domain was started.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

WITHIN = 300.0
"""Seconds from its start to the first answer of a guest that is declared no longer. Measured under emulation: 15 for one of
lbkit's images, 230 for a cloud image.
"""

GREETED_WITHIN = 3.0  # seconds for one try: a port that is not open yet swallows what is said


def noted(now: datetime) -> str:
    return now.isoformat(timespec="seconds")


def left(started: str, now: datetime, within: float = WITHIN) -> float:
    """Seconds that the guest of a domain with this note may still take; 0: none, or it answered once."""
    with suppress(ValueError, TypeError):  # of a time without its zone nothing follows
        since = (now - datetime.fromisoformat(started)).total_seconds() if started else within
        # as noted, whole seconds; from what is more than that ahead nothing follows: clocks differ
        return within - since if -1.0 <= since < within else 0.0
    return 0.0
