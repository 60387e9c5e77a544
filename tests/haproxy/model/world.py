"""What surrounds the model: time, addresses that answer or do not, and requests that are made all the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

Place = tuple[str, int]


class Killed(BaseException):
    """lbkit is gone, by SIGKILL: nothing that it would still do is done."""


class Live(Protocol):
    """What time passes for."""

    def due(self) -> float | None: ...
    def come(self, now: float) -> None: ...
    def serving(self) -> Mapping[str, tuple[Target, ...]]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A server that gets requests now. `checked`: its backend is, so that it may get some only after a check."""

    name: str
    place: Place
    checked: bool


@dataclass
class World:
    """`dead`: addresses where nobody answers. `slow`: seconds that a check takes there, where it is not 1 ms.

    After every command and every event each server that may get a request gets one: `harm` is what became of those
    that no server took, or one that no check or probe had ever found alive. `watched`: backends that must have a server
    at all times.
    """

    dead: set[Place] = field(default_factory=set)
    slow: dict[Place, float] = field(default_factory=dict)
    now: float = 1000.0
    proven: set[Place] = field(default_factory=set)
    watched: frozenset[str] = frozenset()
    harm: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    life: int | None = None  # things that lbkit still does before it is killed
    live: Live | None = None

    def does(self, what: str) -> None:
        """lbkit changes something: unless it is dead by then."""
        if self.life is not None:
            if self.life == 0:
                raise Killed
            self.life -= 1
        self.happened.append(f"{self.now:.2f} {what}")

    def alive(self, place: Place) -> bool:
        return place not in self.dead

    def asked(self, place: Place) -> bool:
        """A check, or a probe, of it is over."""
        if self.alive(place):
            self.proven.add(place)
        return self.alive(place)

    def takes(self, place: Place) -> float:
        return self.slow.get(place, 0.001)

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self.live is not None and (due := self.live.due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.live.come(self.now)
            self.request()
        self.now = until
        self.request()

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        end = self.now + seconds
        while not condition() and self.now < end:
            self.pass_time(0.01)

    def request(self) -> None:
        """One to each server that HAProxy may choose."""
        backends = self.live.serving() if self.live is not None else {}
        for backend, targets in backends.items():
            if not targets and backend in self.watched:
                self._harmed(f"backend {backend} has no server")
            for target in targets:
                if target.checked and target.place not in self.proven:
                    self._harmed(f"{target.name} gets a request at {target.place}, which no check has passed")
        if self.live is None and self.watched:
            self._harmed("nothing runs")

    def _harmed(self, what: str) -> None:
        if not self.harm or not self.harm[-1].endswith(what):
            self.harm.append(f"{self.now:.2f} {what}")


@dataclass(frozen=True)
class ModelClock:
    world: World

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.world.now)

    def monotonic(self) -> float:
        return self.world.now

    def sleep(self, seconds: float) -> None:
        self.world.pass_time(seconds)
