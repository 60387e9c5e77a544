"""Time as a test says it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lbkit.base.clock import SystemClock


class HandClock(SystemClock):
    """Stands still, but for who sleeps. `seconds` since it began, which was in 2030."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 31, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
