"""Where everything of a picture stands: boxes, curves, and networks as lines below that boxes hang on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lbkit.engine.view import Edge, Node, Picture
from lbkit.faces.graph.boxes import DETAIL, STUB, Box, Drawing, shortened, text_width
from lbkit.faces.graph.heights import centres
from lbkit.faces.graph.layers import Columns, in_columns

MARGIN = 32.0
HEADER = 52.0
RAIL = 30.0  # height of a network's line
_RAIL_GAP = 12.0
_GAP = 76.0  # between columns
_TRUNK = 10.0  # between a column's lines to networks
_BETWEEN = 20.0  # between boxes of a column
_WAYPOINT = 8.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PlacedBox:
    box: Box
    x: float
    y: float
    width: float

    @property
    def bottom(self) -> float:
        return self.y + self.box.height


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` in pairs: a curve from each odd one to the next, straight across columns between."""

    edge: Edge
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Rail:
    """A network: `trunks` are upright lines of (x, top), `stubs` go from a trunk's x to a box at (x, y)."""

    node: Node
    hue: int
    x: float
    y: float
    width: float
    trunks: tuple[Point, ...]
    stubs: tuple[tuple[float, Point], ...]


@dataclass(frozen=True, slots=True)
class Placed:
    width: float
    height: float
    boxes: tuple[PlacedBox, ...]
    curves: tuple[Curve, ...]
    rails: tuple[Rail, ...]


def placed(picture: Picture, drawing: Drawing, *, least_width: float = 0.0) -> Placed:
    traffic = _traffic(picture, drawing)
    links = [(drawing.home[edge.source], drawing.home[edge.target]) for edge in traffic]
    hints = {name: box.node.layer for name, box in drawing.boxes.items()}
    columns = in_columns(list(drawing.boxes), links, hints)
    middles = _middles(columns, drawing)
    xs, widths = _across(columns, drawing, traffic)
    boxes = _boxes(columns, drawing, middles, xs, widths)
    curves = tuple(_curve(edge, drawing, columns, boxes, middles, xs, widths) for edge in traffic)
    low = max((box.bottom for box in boxes.values()), default=HEADER)
    right = max((x + width for x, width in zip(xs, widths, strict=True)), default=MARGIN)
    right = max(right, least_width - MARGIN)
    rails = _rails(columns, drawing, boxes, xs, low + 34.0, right - MARGIN)
    if rails:
        low = rails[-1].y + RAIL
    return Placed(right + MARGIN, low + MARGIN, tuple(boxes.values()), curves, rails)


def _traffic(picture: Picture, drawing: Drawing) -> list[Edge]:
    """Edges between two boxes, each pair of ends once."""
    traffic: dict[tuple[str, str], Edge] = {}
    for edge in picture.edges:
        ends = drawing.home.get(edge.source), drawing.home.get(edge.target)
        if None not in ends and ends[0] != ends[1]:
            traffic.setdefault((edge.source, edge.target), edge)
    return list(traffic.values())


def _middles(columns: Columns, drawing: Drawing) -> dict[str, float]:
    height: dict[str, float] = {}
    gap: dict[str, float] = {}
    for column in columns.order:
        for name in column:
            box = drawing.boxes.get(name)
            height[name] = box.height if box else _WAYPOINT
            gap[name] = _BETWEEN if box else _WAYPOINT
    middles = centres(columns, height, gap)
    top = min((middles[name] - height[name] / 2 for name in middles), default=0.0)
    return {name: round(middle - top + MARGIN + HEADER, 1) for name, middle in middles.items()}


def _across(columns: Columns, drawing: Drawing, traffic: Sequence[Edge]) -> tuple[list[float], list[float]]:
    """Each column's left side and width; the room before it holds labels and its lines to networks."""
    column_of = {name: index for index, column in enumerate(columns.order) for name in column}
    label = [0.0] * len(columns.order)
    for edge in traffic:
        into = column_of[drawing.home[edge.target]]
        label[into] = max(label[into], text_width(shortened(edge.label), DETAIL) if edge.label else 0.0)
    xs: list[float] = []
    widths: list[float] = []
    x = MARGIN
    for index, column in enumerate(columns.order):
        trunks = _TRUNK * len(_networks_of(column, drawing))
        room = max(_GAP, label[index] + 64.0) if index else 2 * STUB if trunks else 0.0
        x += room + trunks
        xs.append(round(x, 1))
        widths.append(
            max((drawing.boxes[name].width for name in column if name in drawing.boxes), default=0.0)
        )
        x += widths[-1]
    return xs, widths


def _boxes(
    columns: Columns,
    drawing: Drawing,
    middles: Mapping[str, float],
    xs: Sequence[float],
    widths: Sequence[float],
) -> dict[str, PlacedBox]:
    return {
        name: PlacedBox(box, xs[index], round(middles[name] - box.height / 2, 1), widths[index])
        for index, column in enumerate(columns.order)
        for name in column
        if (box := drawing.boxes.get(name))
    }


def _curve(
    edge: Edge,
    drawing: Drawing,
    columns: Columns,
    boxes: Mapping[str, PlacedBox],
    middles: Mapping[str, float],
    xs: Sequence[float],
    widths: Sequence[float],
) -> Curve:
    source, target = boxes[drawing.home[edge.source]], boxes[drawing.home[edge.target]]
    stops = columns.routes[source.box.node.id, target.box.node.id]
    forward = source.x < target.x
    column_of = {name: index for index, column in enumerate(columns.order) for name in column}
    points = [(source.x + (source.width if forward else 0.0), source.y + source.box.row_middle(edge.source))]
    for stop in stops[1:-1]:
        left, width = xs[column_of[stop]], widths[column_of[stop]]
        sides = (left, left + width) if forward else (left + width, left)
        points += [(side, middles[stop]) for side in sides]
    points.append(
        (target.x + (0.0 if forward else target.width), target.y + target.box.row_middle(edge.target))
    )
    return Curve(edge, tuple(points))


def _networks_of(column: Sequence[str], drawing: Drawing) -> list[str]:
    """The networks that something in this column stands on, in the picture's order."""
    there = {network for name in column for network in drawing.standing.get(name, ())}
    return [node.id for node in drawing.networks if node.id in there]


def _rails(
    columns: Columns,
    drawing: Drawing,
    boxes: Mapping[str, PlacedBox],
    xs: Sequence[float],
    top: float,
    width: float,
) -> tuple[Rail, ...]:
    trunks: dict[str, list[Point]] = {node.id: [] for node in drawing.networks}
    stubs: dict[str, list[tuple[float, Point]]] = {node.id: [] for node in drawing.networks}
    for column, left in zip(columns.order, xs, strict=True):
        for index, network in enumerate(_networks_of(column, drawing)):
            x = left - 14.0 - _TRUNK * index
            ends = [
                (left, round(boxes[name].bottom - STUB * (standing.index(network) + 1), 1))
                for name in column
                if network in (standing := drawing.standing.get(name, ()))
            ]
            trunks[network].append((x, min(y for _, y in ends)))
            stubs[network] += [(x, end) for end in ends]
    return tuple(
        Rail(
            node,
            hue,
            MARGIN,
            round(top + hue * (RAIL + _RAIL_GAP), 1),
            width,
            tuple(trunks[node.id]),
            tuple(stubs[node.id]),
        )
        for hue, node in enumerate(drawing.networks)
    )


def across(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """The curved parts of a Curve, from column to column."""
    return [pair for index, pair in enumerate(pairwise(points)) if index % 2 == 0]
