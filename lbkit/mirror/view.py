"""What people see of mirrors: rows of status, and the picture. Asks their keepers; changes nothing, and fails for nothing that does not stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lbkit.base.host import Host
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Edge, Health, Node, Picture, Status
from lbkit.mirror.answers import MirrorStatus
from lbkit.mirror.explaining import explain
from lbkit.mirror.reach import mirrors_of
from lbkit.mirror.seen import (
    UNHEARD,
    Seen,
    committed_words,
    each_of,
    held_words,
    last_words,
    next_words,
    node_words,
    see,
    serves,
    source_words,
)

__all__ = ["alarms", "explain", "picture", "status"]


_FOR_PERSONS = frozenset({"failed", "held"})
"""Of runs that made nothing: what is tried again soon, and mostly well, is told by `status` alone."""

_LONGEST = 300  # letters of what a node says


def mirror_key(name: str) -> Key:
    return Key("mirror", name)


def node_key(name: str, node: str) -> Key:
    return Key("mirror-node", f"{name}/{node}")


def status(scope: Scope, host: Host) -> Iterator[Status]:
    for seen in each_of(lambda mirror: see(scope, host, mirror), mirrors_of(scope)):
        yield _mirror_row(seen, host.clock.now())
        yield from (_node_row(seen, node) for node in seen.mirror.nodes)


def alarms(scope: Scope, host: Host) -> dict[str, str]:
    """Of keepers that hang, and in the words of those that answer. One that does not run is an apply's to start."""
    found = {}
    for seen in each_of(lambda mirror: see(scope, host, mirror), mirrors_of(scope)):
        if seen.status is not None:
            last = seen.status.last
            wants = last is not None and last.came in _FOR_PERSONS
            words = "; ".join(
                [
                    *seen.status.alarms,
                    *_drained(seen.status),
                    *_damaged(seen),
                    *(last_words(seen.status) if wants else ()),
                ]
            )
        else:
            words = "" if seen.away else f"its keeper on {seen.mirror.master} does not answer"
        if words:
            found[str(mirror_key(seen.mirror.name))] = words
    return found


def _drained(found: MirrorStatus) -> list[str]:
    """Nodes that are heard, serve nobody, and say why they do not get what they should: mostly a disk."""
    heard = {
        name: node for name, node in found.nodes.items() if node.heard is not None and node.heard <= UNHEARD
    }
    return [
        f"{name} is drained: {' '.join(trouble.split())[:_LONGEST]}"
        for name, trouble in sorted(found.troubles.items())
        if name in heard and not serves(heard[name])
    ]


def _damaged(seen: Seen) -> list[str]:
    """Nodes that serve on though their last verification left something as it should not be: others may have it in the same way."""
    nodes = seen.status.nodes if seen.status is not None else {}
    return [
        f"{name} has {left} damaged files: `lbkit mirror verify --mend {seen.mirror.name}`"
        for name, node in sorted(nodes.items())
        if node.verify and not node.verify.get("doing") and (left := node.verify.get("left"))
    ]


def picture(scope: Scope) -> Picture:
    """From upstream to the master to the nodes. Machines are in it already."""
    nodes, edges = [], []
    for mirror in mirrors_of(scope):
        key, master = str(mirror_key(mirror.name)), str(Key("machine", mirror.master))
        nodes.append(Node(key, mirror.name, "mirror", (source_words(mirror),)))
        edges.append(Edge(key, master, "upstream"))
        edges += [
            Edge(master, str(Key("machine", node)), mirror.name)
            for node in mirror.nodes
            if node != mirror.master
        ]
    return Picture(tuple(nodes), tuple(edges))


def _mirror_row(seen: Seen, now: datetime) -> Status:
    key, found = mirror_key(seen.mirror.name), seen.status
    facts: dict[str, Any] = {
        "master": seen.mirror.master,
        "nodes": list(seen.mirror.nodes),
        "network": seen.mirror.network,
    }
    if found is None:
        serving = sum(said == "ready up" for said in seen.verdicts.values())
        words = f"its keeper on {seen.mirror.master} does not {'run' if seen.away else 'answer'}: {seen.why}"
        detail = f"{words}; {serving} of {len(seen.verdicts)} nodes serve what they have"
        health = Health.UNKNOWN if not seen.away else Health.DEGRADED if serving else Health.DOWN
        return Status(key, present=False, health=health, detail=detail, facts=facts)
    serving = sum(serves(node) for node in found.nodes.values())
    facts |= {
        "committed": found.committed and found.committed["serial"],
        "newest": found.newest and found.newest["serial"],
        "serving": serving,
        "wanted": found.wanted,
        "next": found.next,
        "last": found.last and {"run": found.last.id, "came": found.last.came, "why": found.last.why},
        "held": found.held,
        "alarms": list(found.alarms),
    }
    parts = [committed_words(found), f"{serving} of {len(found.nodes)} nodes serve"]
    if found.running is not None:
        parts.append(f"a run by {found.running['cause']} is under way")
    parts += [*found.alarms, *last_words(found), *held_words(found)]
    parts.append(next_words(found, now))
    if found.committed is None or not serving:
        health = Health.DOWN
    elif found.alarms or found.held or last_words(found):
        health = Health.DEGRADED
    else:
        health = Health.UP
    return Status(key, present=True, health=health, detail=", ".join(filter(None, parts)), facts=facts)


def _node_row(seen: Seen, node: str) -> Status:
    key, parent = node_key(seen.mirror.name, node), mirror_key(seen.mirror.name)
    if seen.status is None:
        said = seen.verdicts.get(node)
        detail = f"its agent says {said!r}; nobody tells it more" if said else "its agent does not answer"
        return Status(key, present=said is not None, health=Health.UNKNOWN, detail=detail, parent=parent)
    found = seen.status.nodes.get(node)
    trouble = " ".join(seen.status.troubles.get(node, "").split())
    if found is None or found.heard is None:
        detail = "the keeper has not heard it" + (f": {trouble}" if trouble else "")
        return Status(key, present=False, health=Health.UNKNOWN, detail=detail, parent=parent)
    facts = {"serving": found.serving, "behind": found.behind, "told": found.told, "heard": found.heard}
    parts = [node_words(found)]
    if found.heard > UNHEARD:
        parts.append(f"not heard for {found.heard:.0f} s")
    if found.busy is not None:
        parts.append(f"gets the next one from {found.busy or seen.mirror.master}")
    if trouble:
        parts.append(trouble)
    damaged = int((found.verify or {}).get("left") or 0)
    if damaged:
        parts.append(f"{damaged} damaged files")
    if found.heard > UNHEARD:
        health = Health.UNKNOWN
    elif not serves(found):
        health = Health.DOWN
    else:
        health = Health.DEGRADED if damaged or (found.behind or 0) > 0 else Health.UP
    return Status(key, present=True, health=health, detail=", ".join(parts), facts=facts, parent=parent)
