"""A Picture as boxes with rows and lines of text, each measured: what is drawn, not yet where."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from lbkit.engine.view import Node, Picture, Status

# Pixels. Fonts differ from machine to machine: widths are those of the widest usual ones.
TITLE: Final = 14.0
DETAIL: Final = 11.0
HEAD: Final = 34.0  # icon, label and state
LINE: Final = 16.0
ROW: Final = 26.0
PAD: Final = 12.0
STUB: Final = 8.0  # between the ends of lines to networks
_ICON: Final = 26.0
_STATE: Final = 20.0
_LEAST: Final = 96.0
_LONGEST = 44  # characters of a label or detail that are drawn; the rest stands in the tooltip

_NARROW = frozenset("ijl.,:;'|!`I ")
_WIDE = frozenset("mwMW@%")
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")  # XML 1.0, 2.2


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a box that has a state of its own: a service in a machine."""

    node: Node
    state: Status | None


@dataclass(frozen=True, slots=True)
class Box:
    node: Node
    state: Status | None
    rows: tuple[Row, ...]
    width: float
    height: float

    def row_middle(self, identity: str) -> float:
        """Where edges to `identity` (the box itself, or one of its rows) arrive, from the top of the box."""
        for index, row in enumerate(self.rows):
            if row.node.id == identity:
                return HEAD + LINE * len(self.node.details) + ROW * (index + 0.5)
        return HEAD / 2


@dataclass(frozen=True, slots=True)
class Drawing:
    """The picture sorted out: `home` leads from every id to the box that holds it."""

    boxes: Mapping[str, Box]
    networks: tuple[Node, ...]
    standing: Mapping[str, tuple[str, ...]]  # a box's networks
    home: Mapping[str, str]
    states: Mapping[str, Status]


def sorted_out(picture: Picture, state: Sequence[Status] | None) -> Drawing:
    """Of nodes with the same id the first counts. A row of a box that is not there is a box itself."""
    states = {str(row.key): row for row in state or ()}
    nodes = {node.id: node for node in reversed(picture.nodes)}
    nodes = {node.id: nodes[node.id] for node in picture.nodes}
    networks = tuple(node for node in nodes.values() if node.kind == "network")
    others = {identity: node for identity, node in nodes.items() if node.kind != "network"}
    home = {identity: _home(node, others) for identity, node in others.items()}
    inside: dict[str, list[Row]] = {}
    for identity, box in home.items():
        if identity != box:
            inside.setdefault(box, []).append(Row(others[identity], states.get(identity)))
    standing = _standing(picture, {node.id for node in networks}, home)
    boxes = {
        identity: _measured(
            others[identity],
            states.get(identity),
            tuple(inside.get(identity, ())),
            len(standing.get(identity, ())),
        )
        for identity, box in home.items()
        if identity == box
    }
    return Drawing(boxes, networks, standing, home, states)


def _standing(
    picture: Picture, networks: AbstractSet[str], home: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    standing: dict[str, dict[str, None]] = {}
    for edge in picture.edges:
        for one, other in ((edge.source, edge.target), (edge.target, edge.source)):
            if one in networks and other in home:
                standing.setdefault(home[other], {})[one] = None
    return {box: tuple(there) for box, there in standing.items()}


def _home(node: Node, nodes: Mapping[str, Node]) -> str:
    """The outermost box around `node`; where boxes hold each other in a circle, `node` stands alone."""
    seen = {node.id}
    at = node
    while at.inside is not None and at.inside in nodes:
        at = nodes[at.inside]
        if at.id in seen:
            return node.id
        seen.add(at.id)
    return at.id


def _measured(node: Node, state: Status | None, rows: tuple[Row, ...], networks: int) -> Box:
    widths = [
        _LEAST,
        2 * PAD + _ICON + text_width(shortened(node.label), TITLE, bold=True) + _STATE,
        *(2 * PAD + mono_width(shortened(line), DETAIL) for line in node.details),
        *(2 * PAD + 26 + text_width(row_text(row.node), DETAIL + 1) + _STATE for row in rows),
    ]
    height = HEAD + LINE * len(node.details) + ROW * len(rows)
    if node.details or rows or networks:
        height += STUB * (networks + 1)
    return Box(node, state, rows, round(max(widths)), height)


def row_text(node: Node) -> str:
    """A row's one line: its label and what there is to say of it."""
    return shortened(" · ".join((node.label, *node.details)))


def printable(text: str) -> str:
    """`text` as XML may hold it: what it may not is shown as an escape."""
    return _FORBIDDEN.sub(lambda match: ascii(match[0])[1:-1], text)


def shortened(text: str) -> str:
    text = " ".join(printable(text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """At least the width of `text` in a sans serif font."""
    ems = 0.0
    for letter in text:
        if letter in _NARROW:
            ems += 0.36
        elif letter in _WIDE:
            ems += 0.95
        elif letter >= "\u1100":
            ems += 1.05
        else:
            ems += 0.7 if letter.isupper() else 0.6
    return ems * size * (1.06 if bold else 1.0)


def mono_width(text: str, size: float) -> float:
    return sum(1.05 if letter >= "\u1100" else 0.61 for letter in text) * size


def look(state: Status | None) -> str:
    """The word that colours a thing: its health, or "absent" where it does not stand at all."""
    if state is None:
        return ""
    return str(state.health) if state.present else "absent"
