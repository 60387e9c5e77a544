"""When the next sync is due, by what was declared and when the last one began. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from lbkit.mirror.keeper.cron import Cron

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The time of day when a sync may begin, in local time; over midnight where `until` is not after `since`. One that has begun goes
    on after it, but for what can be stopped at no loss: a queue of downloads.
    """

    since: time
    until: time

    def has(self, at: time) -> bool:
        if self.since < self.until:
            return self.since <= at < self.until
        return at >= self.since or at < self.until


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` and `jitter` are durations: a sync is due `every` after the last one began, and up to `jitter` later, by chance that is
    always the same for one mirror and one time. `every` may be times of a clock, too: one is due at the first of them after the last
    one began, so several that were missed are one. `zone` is the one that those times and the window's are of.
    """

    every: timedelta | Cron
    window: Window | None = None
    jitter: timedelta = timedelta(0)
    zone: tzinfo = UTC

    def due(self, name: str, last: datetime | None, now: datetime) -> datetime:
        """When the next one is due; in the past or now: at once. Where there was none, at once too, the window permitting."""
        if last is None:
            return self.allowed(now)
        base = self.every.after(last, self.zone) if isinstance(self.every, Cron) else last + self.every
        return self.allowed(base + self._chance(name, base))

    def closes(self, at: datetime) -> datetime | None:
        """When the window ends that lies around that moment; None where there is none."""
        if self.window is None or not self._is_open(at):
            return None
        day = at.astimezone(self.zone).date()
        ends = (
            datetime.combine(each, self.window.until, self.zone).replace(fold=fold).astimezone(UTC)
            for each in (day, day + _DAY)
            for fold in (0, 1)  # of an hour that comes twice the window may be in the second one
        )
        return next(each for each in ends if each > at)

    def _is_open(self, at: datetime) -> bool:
        return self.window is None or self.window.has(at.astimezone(self.zone).timetz().replace(tzinfo=None))

    def allowed(self, at: datetime) -> datetime:
        """The first moment from then on that lies in the window."""
        if self.window is None:
            return at
        local = at.astimezone(self.zone)
        if self._is_open(at):
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
