"""Traffic as data: two samples of counters in, what flows now out. Pure.

A room samples what carries traffic: each thing at each place that it stands (a server as lb-1 sees it). Counters
begin at 0 with the process that counts, so after a reload they are small again, and places come and go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["frontend", "backend", "server"]


class Counters(NamedTuple):
    """Since the process began, or (floats) in each second. Requests: where there is no HTTP, connections.

    `request_errors`: clients that broke off or spoke no HTTP; `connect_errors`: servers that took no connection;
    `response_errors`: servers that broke off or answered nonsense; `http_5xx`: answers of that class, HAProxy's own too.
    """

    requests: float = 0
    bytes_in: float = 0
    bytes_out: float = 0
    request_errors: float = 0
    connect_errors: float = 0
    response_errors: float = 0
    http_5xx: float = 0

    @property
    def errors(self) -> float:
        return self.request_errors + self.connect_errors + self.response_errors


class Sample(NamedTuple):
    """One thing at one place, at one time. `counted_by` is another one where counters began anew (a worker's pid)."""

    kind: Kind
    path: str  # "shop/web/web-1"
    place: str  # the machine that says so: "lb-1"
    counted_by: str
    at: float  # seconds of a monotonic clock
    up: bool
    state: str
    check: str
    weight: int
    sessions: int
    queue: int
    counters: Counters


@dataclass(frozen=True, slots=True)
class Traffic:
    """All samples of one time, in the order of the topology. `silent`: who could not be asked, and why."""

    samples: tuple[Sample, ...] = ()
    silent: tuple[str, ...] = ()

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.samples + other.samples, self.silent + other.silent)


class Flow(NamedTuple):
    """What goes through one thing now. `rates` are per second; None where it was not there before.

    `places`: where it was seen, `up`: at how many of them it may get traffic. `state` and `check` are every
    distinct one. `weight` is the least.
    """

    kind: Kind
    path: str
    places: tuple[str, ...]
    up: int
    state: str
    check: str
    weight: int
    sessions: int
    queue: int
    rates: Counters | None
    totals: Counters

    @property
    def good(self) -> bool:
        return self.up == len(self.places)

    def as_data(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "path": self.path,
            "places": list(self.places),
            "up": self.up,
            "state": self.state,
            "check": self.check,
            "weight": self.weight,
            "sessions": self.sessions,
            "queue": self.queue,
            "rates": {name: round(rate, 3) for name, rate in self.rates._asdict().items()}
            if self.rates
            else None,
            "totals": self.totals._asdict(),
        }


def flows(before: Traffic, now: Traffic) -> list[Flow]:
    """One for each sample of `now`, in its order."""
    known = {(sample.kind, sample.path, sample.place): sample for sample in before.samples}
    return [
        Flow(
            sample.kind,
            sample.path,
            (sample.place,),
            int(sample.up),
            sample.state,
            sample.check,
            sample.weight,
            sample.sessions,
            sample.queue,
            _rates(known.get((sample.kind, sample.path, sample.place)), sample),
            sample.counters,
        )
        for sample in now.samples
    ]


def _rates(before: Sample | None, now: Sample) -> Counters | None:
    if before is None or now.at <= before.at:
        return None
    base: Sequence[float] = before.counters
    if before.counted_by != now.counted_by or any(
        after < earlier for earlier, after in zip(base, now.counters, strict=True)
    ):
        base = Counters()  # what is counted now came after the sample before
    seconds = now.at - before.at
    return Counters(*((after - earlier) / seconds for earlier, after in zip(base, now.counters, strict=True)))


def summed(single: Iterable[Flow]) -> list[Flow]:
    """One for each thing, over all its places; in the order in which they are first met."""
    things: dict[tuple[str, str], list[Flow]] = {}
    for flow in single:
        things.setdefault((flow.kind, flow.path), []).append(flow)
    return [each[0] if len(each) == 1 else _sum(each) for each in things.values()]


def _sum(each: Sequence[Flow]) -> Flow:
    known = [flow.rates for flow in each if flow.rates is not None]
    return Flow(
        each[0].kind,
        each[0].path,
        tuple(place for flow in each for place in flow.places),
        sum(flow.up for flow in each),
        "/".join(dict.fromkeys(flow.state for flow in each)),
        "/".join(dict.fromkeys(flow.check for flow in each if flow.check)),
        min(flow.weight for flow in each),
        sum(flow.sessions for flow in each),
        sum(flow.queue for flow in each),
        Counters(*map(sum, zip(*known, strict=True))) if known else None,
        Counters(*map(sum, zip(*(flow.totals for flow in each), strict=True))),
    )


def worst_first(every: Sequence[Flow]) -> list[Flow]:
    """Those out of rotation, then by errors, by who waits, by requests; alike ones as they stand."""

    def badness(flow: Flow) -> tuple[float, ...]:
        rates = flow.rates or Counters()
        return flow.up - len(flow.places), -rates.errors - rates.http_5xx, -flow.queue, -rates.requests

    return sorted(every, key=badness)


class Shown(NamedTuple):
    """The flows that fit, and how many of each kind do not."""

    flows: tuple[Flow, ...]
    hidden: Mapping[Kind, int]


def fitting(every: Sequence[Flow], lines: int | None) -> Shown:
    """Frontends, backends, servers, at most `lines` in all: as they stand where they fit, else the worst of each kind.

    Servers get what the others leave, and half of the lines at least.
    """
    kinds: dict[Kind, list[Flow]] = {"frontend": [], "backend": [], "server": []}
    for flow in every:
        kinds[flow.kind].append(flow)
    if lines is None or len(every) <= lines:
        return Shown(tuple(flow for some in kinds.values() for flow in some), {})
    rooms = _share([len(some) for some in kinds.values()], max(lines, 0))
    shown: list[Flow] = []
    hidden: dict[Kind, int] = {}
    for (kind, some), room in zip(kinds.items(), rooms, strict=True):
        shown += some if len(some) <= room else worst_first(some)[:room]
        if len(some) > room:
            hidden[kind] = len(some) - room
    return Shown(tuple(shown), hidden)


def _share(wanted: Sequence[int], lines: int) -> Iterator[int]:
    """Lines for frontends, backends and servers."""
    frontends, backends, servers = wanted
    others = max(lines - servers, lines // 2)
    first = min(frontends, max(others - backends, others // 2))
    second = min(backends, others - first)
    yield first
    yield second
    yield lines - first - second
