"""What was under way at a time: the events of an apply, remembered, and asked by the clock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lbkit.base.clock import Clock
from lbkit.engine.applying import Event, Watcher
from lbkit.engine.change import Change

MOST_SHOWN = 4  # changes of one moment that are named


@dataclass(slots=True)
class Span:
    """One change from its begin until it is read back. `said`: when, and which step it came to."""

    change: Change
    began: float
    ended: float | None = None
    said: list[tuple[float, str]] = field(default_factory=list)

    def met(self, began: float, ended: float) -> bool:
        return self.began <= ended and (self.ended is None or self.ended >= began)

    def step(self, at: float) -> str:
        last = [text for when, text in self.said if when <= at]
        return f"`{last[-1]}` of `{self.change}`" if last else f"`{self.change}`"


class Timeline:
    """Times are the clock's `monotonic`. Events may come from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._spans: list[Span] = []

    def watching(self, watch: Watcher) -> Watcher:
        """`watch`, and what it sees remembered."""

        def both(event: Event) -> None:
            self.note(event, self._clock.monotonic())
            watch(event)

        return both

    def note(self, event: Event, at: float) -> None:
        with self._lock:
            if event.kind == "begin":
                self._spans.append(Span(event.change, at))
                return
            span = next((each for each in reversed(self._spans) if each.change.key == event.change.key), None)
            if span is None:
                return
            if event.kind == "done":
                span.ended = at
            elif event.kind == "carried":
                span.said.append((at, f"after: {event.detail}"))
            else:
                span.said.append((at, event.detail))

    def step(self, began: float, ended: float) -> str:
        """The steps that were under way at any time from `began` to `ended`, in words."""
        with self._lock:
            met = [span for span in self._spans if span.met(began, ended)]
            if met:
                more = f" and {len(met) - MOST_SHOWN} more" if len(met) > MOST_SHOWN else ""
                return ", ".join(span.step(ended) for span in met[:MOST_SHOWN]) + more
            before = [span for span in self._spans if span.ended is not None and span.ended < began]
            after = [span for span in self._spans if span.began > ended]
            if not before:
                return "none: before the first change"
            if not after:
                return f"none: after the last change, `{before[-1].change}`"
            return f"none: between `{before[-1].change}` and `{after[0].change}`"
