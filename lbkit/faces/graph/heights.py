"""How high each box stands: as level with its neighbours as the order in its column allows. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from lbkit.faces.graph.layers import Columns

_ROUNDS = 24


def centres(columns: Columns, height: Mapping[str, float], gap: Mapping[str, float]) -> dict[str, float]:
    """The middle of each name, downwards from about 0; neighbours in a column keep the larger of their gaps."""
    neighbours: dict[str, list[str]] = {name: [] for column in columns.order for name in column}
    for stops in columns.routes.values():
        for one, other in itertools.pairwise(stops):
            neighbours[one].append(other)
            neighbours[other].append(one)
    middle: dict[str, float] = {}
    offsets = [_offsets(column, height, gap) for column in columns.order]
    for column, offset in zip(columns.order, offsets, strict=True):
        half = (offset[-1] if offset else 0.0) / 2
        middle |= {name: at - half for name, at in zip(column, offset, strict=True)}
    for turn in range(_ROUNDS):
        pairs = list(zip(columns.order, offsets, strict=True))
        for column, offset in pairs if turn % 2 == 0 else reversed(pairs):
            wished = [_mean([middle[other] for other in neighbours[name]], middle[name]) for name in column]
            middle |= dict(zip(column, _apart(wished, offset), strict=True))
    return middle


def _offsets(column: Sequence[str], height: Mapping[str, float], gap: Mapping[str, float]) -> list[float]:
    """Each one's least distance from the first of its column, middle to middle."""
    offsets = [0.0] if column else []
    for above, below in itertools.pairwise(column):
        room = (height[above] + height[below]) / 2 + max(gap[above], gap[below])
        offsets.append(offsets[-1] + room)
    return offsets


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(wished: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The nearest places (least squares) to `wished` that keep order and distances: pool adjacent violators."""
    pools: list[tuple[float, int]] = []  # mean of the members' wishes less their offsets, and how many
    for wish, offset in zip(wished, offsets, strict=True):
        mean, count = wish - offset, 1
        while pools and pools[-1][0] > mean:
            before, members = pools.pop()
            mean, count = (before * members + mean * count) / (members + count), members + count
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]
