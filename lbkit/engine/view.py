"""What rooms tell about a running topology: rows of status, a picture, findings. Data; the faces render it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from lbkit.engine.change import plain
from lbkit.engine.resource import Key


class Health(StrEnum):
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Status:
    """One row: does it stand as declared (`present`), and does it work (`health`): two axes, never one word."""

    key: Key
    present: bool
    health: Health
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict)  # numbers behind the detail, for --json
    parent: Key | None = None
    feeds: frozenset[str] | None = (
        None  # ids of the nodes that its requests go to now; None: as the picture says
    )

    def as_data(self) -> dict[str, Any]:
        return {
            "kind": self.key.kind,
            "name": self.key.name,
            "present": self.present,
            "health": str(self.health),
            "detail": self.detail,
            "facts": plain(self.facts),
            "parent": {"kind": self.parent.kind, "name": self.parent.name} if self.parent else None,
        }


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the picture. `id` is the key of its status row where it has one ("machine lb-1").

    `kind` chooses its look; a "network" is drawn as a line that others hang on, any other kind as a box.
    Boxes stand from left to right as traffic flows along the edges; `layer` is the column of a box that no
    traffic touches (0 is where clients come in). `inside` is the id of the box that this one is a row of (a
    service of a machine).
    """

    id: str
    label: str
    kind: str
    details: tuple[str, ...] = ()
    layer: int = 0
    inside: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """Traffic from `source` to `target`; where one of them is a network, that the other stands on it.

    `faint`: no request goes this way now (a backup server, a name that points here).
    """

    source: str
    target: str
    label: str = ""
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def __add__(self, other: Picture) -> Picture:
        return Picture(self.nodes + other.nodes, self.edges + other.edges)

    def as_it_is(self, rows: Iterable[Status]) -> Picture:
        """With edges faint where no request goes now, and not where one does, as far as `rows` know."""
        feeds = {str(row.key): row.feeds for row in rows if row.feeds is not None}
        edges = (
            replace(edge, faint=edge.target not in feeds[edge.source]) if edge.source in feeds else edge
            for edge in self.edges
        )
        return Picture(self.nodes, tuple(edges))


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence for `explain`. `good` is None where it is neither good nor bad."""

    good: bool | None
    what: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`: can this host do it, what was found, how to mend it. `needed` False: only some topologies want it."""

    name: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True
