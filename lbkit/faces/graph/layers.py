"""Which column each box stands in, and in which order: layered drawing after Sugiyama, on names alone.

Pure and deterministic. A link over several columns passes each one between by a waypoint, which takes a
place there as a box does, so that no curve runs behind a box.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Link = tuple[str, str]

_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Columns:
    """`order` holds names from top to bottom, column by column; `routes` each link's stops, ends included."""

    order: tuple[tuple[str, ...], ...]
    routes: Mapping[Link, tuple[str, ...]]


def in_columns(names: Sequence[str], links: Sequence[Link], hints: Mapping[str, int]) -> Columns:
    """`hints` has the column of names that no link touches. Links to oneself are passed over."""
    links = list(dict.fromkeys(link for link in links if link[0] != link[1]))
    column = _columns_of(names, _without_circles(names, links), hints)
    order: list[list[str]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for name in names:
        order[column[name]].append(name)
    routes: dict[Link, tuple[str, ...]] = {}
    for source, target in links:
        step = 1 if column[source] < column[target] else -1
        stops = [source]
        for between in range(column[source] + step, column[target], step):
            stops.append(f"{source}\0{target}\0{between}")
            order[between].append(stops[-1])
        routes[source, target] = (*stops, target)
    segments = [pair for stops in routes.values() for pair in itertools.pairwise(stops)]
    return Columns(tuple(map(tuple, _fewest_crossings(order, segments))), routes)


def _without_circles(names: Sequence[str], links: Sequence[Link]) -> list[Link]:
    """`links` with those turned round that would close a circle."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for source, target in links:
        after[source].append(target)
    state: dict[str, bool] = {}  # False: on the way down; True: left behind
    turned: set[Link] = set()
    for root in names:
        if root in state:
            continue
        state[root] = False
        way = [(root, iter(after[root]))]
        while way:
            name, following = way[-1]
            for target in following:
                if target not in state:
                    state[target] = False
                    way.append((target, iter(after[target])))
                    break
                if not state[target]:
                    turned.add((name, target))
            else:
                state[name] = True
                way.pop()
    return [(target, source) if (source, target) in turned else (source, target) for source, target in links]


def _columns_of(names: Sequence[str], links: Sequence[Link], hints: Mapping[str, int]) -> dict[str, int]:
    """As far left as what comes before allows; what nothing comes before, as far right as it can."""
    before: dict[str, set[str]] = {name: set() for name in names}
    after: dict[str, set[str]] = {name: set() for name in names}
    for source, target in links:
        before[target].add(source)
        after[source].add(target)
    column: dict[str, int] = {}
    waiting = {name: len(before[name]) for name in names}
    ready = [name for name in names if not before[name]]
    for name in ready:  # grows while it is walked: a topological order
        column[name] = max((column[source] + 1 for source in before[name]), default=0)
        for target in sorted(after[name]):
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    last = max(column.values(), default=0)
    for name in names:
        if not before[name] and after[name]:
            column[name] = min(column[target] for target in after[name]) - 1
        elif not before[name]:
            column[name] = min(hints.get(name, 0), last)
    used = {number: place for place, number in enumerate(sorted(set(column.values())))}
    return {name: used[number] for name, number in column.items()}


def _fewest_crossings(order: list[list[str]], segments: Sequence[Link]) -> list[list[str]]:
    """Sweep to and fro, each column sorted by the middle of its neighbours; the best that was seen."""
    place = {name: index for index, column in enumerate(order) for name in column}
    left: dict[str, list[str]] = {name: [] for name in place}
    right: dict[str, list[str]] = {name: [] for name in place}
    for one, other in segments:
        near, far = (one, other) if place[one] < place[other] else (other, one)
        left[far].append(near)
        right[near].append(far)
    best, fewest = order, _crossings(order, right)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        rightward = sweep % 2 == 0
        neighbours = left if rightward else right
        swept = [list(column) for column in order]
        for index in range(len(swept)) if rightward else reversed(range(len(swept))):
            _sort(swept, index, neighbours, index - 1 if rightward else index + 1)
        order = swept
        crossings = _crossings(order, right)
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def _sort(order: list[list[str]], index: int, neighbours: Mapping[str, list[str]], beside: int) -> None:
    if not 0 <= beside < len(order):
        return
    height = {name: (at + 0.5) / len(order[beside]) for at, name in enumerate(order[beside])}
    own = {name: (at + 0.5) / len(order[index]) for at, name in enumerate(order[index])}

    def middle(name: str) -> float:
        near = [height[other] for other in neighbours[name]]
        return sum(near) / len(near) if near else own[name]

    order[index].sort(key=middle)


def _crossings(order: Sequence[Sequence[str]], right: Mapping[str, list[str]]) -> int:
    total = 0
    for column, following in itertools.pairwise(order):
        height = {name: at for at, name in enumerate(following)}
        above: list[int] = []  # ends of links that began higher, sorted
        for name in column:
            ends = sorted(height[other] for other in right[name])
            total += sum(len(above) - bisect_right(above, end) for end in ends)
            for end in ends:
                insort(above, end)
    return total
