"""When the next sync is due, by what was declared and when the last one began. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The time of day when a sync may begin, in local time; over midnight where `until` is not after `since`."""

    since: time
    until: time

    def has(self, at: time) -> bool:
        if self.since < self.until:
            return self.since <= at < self.until
        return at >= self.since or at < self.until


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` and `jitter` are durations: a sync is due `every` after the last one began, and up to `jitter` later, by chance that is
    always the same for one mirror and one time. `zone` is the one that the window's times are of.
    """

    every: timedelta
    window: Window | None = None
    jitter: timedelta = timedelta(0)
    zone: tzinfo = UTC

    def due(self, name: str, last: datetime | None, now: datetime) -> datetime:
        """When the next one is due; in the past or now: at once. Where there was none, at once too, the window permitting."""
        base = now if last is None else last + self.every
        late = base + self._chance(name, base) if last is not None else base
        return self._allowed(max(late, base))

    def _allowed(self, at: datetime) -> datetime:
        """The first moment from then on that lies in the window."""
        if self.window is None:
            return at
        local = at.astimezone(self.zone)
        if self.window.has(local.timetz().replace(tzinfo=None)):
            return at
        begin = datetime.combine(local.date(), self.window.since, self.zone)
        # an hour that the clocks leave out begins when they have been put forward
        opens = begin.astimezone(UTC)
        return (
            opens
            if opens > at
            else (datetime.combine(local.date() + _DAY, self.window.since, self.zone)).astimezone(UTC)
        )

    def _chance(self, name: str, base: datetime) -> timedelta:
        drawn = hashlib.sha256(f"{name} {base.timestamp():.3f}".encode()).digest()[:4]
        return self.jitter * (int.from_bytes(drawn, "big") / (1 << 32))
