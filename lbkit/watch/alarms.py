"""What a person is to know of though there is nothing to repair, as rooms tell it: once, and once when it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lbkit.watch.telling import Said, Tellings


class Alarms:
    """Of one watcher, with what it has told."""

    def __init__(self, tellings: Tellings, say: Callable[[Said], None]) -> None:
        self._tellings = tellings
        self._say = say
        self._on: set[str] = set()

    def hear(self, found: Mapping[str, str], ticks: float) -> None:
        """`found` are all that are on now, in words, by what they are of."""
        for thing, words in found.items():
            if self._tellings.due(f"alarm {thing}", words, ticks):
                self._say(Said("alarm", f"{thing}: {words}", {"thing": thing}))
        for thing in sorted(self._on - set(found)):
            if self._tellings.over(f"alarm {thing}"):
                self._say(Said("well", f"{thing}: no alarm any more", {"thing": thing}))
        self._on = set(found)
