"""What belongs to a mirror that a person names: what its machines run for it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from lbkit.engine.resource import Key
from lbkit.machine.resolved import COMMISSIONED
from lbkit.mirror.resolved import HTTP_SERVICE, RSYNC_SERVICE, Mirrors


def things(mirrors: Mirrors, keys: Collection[Key]) -> dict[str, frozenset[Key]]:
    """`mirror/debian`: its keeper, its nodes' agents, and of their machines what serves all mirrors there (`mirror-rsync`, `mirror-http`).

    Also of one that is declared no longer, as far as its own services stand. A backend of its nodes is its load balancer's.
    """
    found: dict[str, set[Key]] = defaultdict(set)
    for key in keys:
        if key.kind == "mirror":
            found[key.name].add(key)
        elif key.kind == "mirror-node":
            found[key.name.partition("/")[0]].add(key)
        elif key.kind == "service":
            machine, _, service = key.name.partition("/")
            mirror, role = _of(service)
            if not mirror:
                continue
            shared = {Key("service", f"{machine}/{RSYNC_SERVICE}")}
            if role == "node" and _has_site(mirrors, mirror):
                shared.add(Key("service", f"{machine}/{HTTP_SERVICE}"))
            found[mirror] |= {key, *(shared & set(keys))}
    return {f"mirror/{name}": frozenset(its) for name, its in found.items()}


def _has_site(mirrors: Mirrors, name: str) -> bool:
    """Of what is declared no longer nobody knows: what stands there may have been for it."""
    declared = mirrors.by_name.get(name)
    return declared is None or declared.declared.publish.http is not None


def _of(service: str) -> tuple[str, str]:
    """The mirror and role of a service that it has for itself (`ResolvedMirror.keeper`, `ResolvedMirror.node`), or nothing twice."""
    prefix = COMMISSIONED[0]
    name, _, role = service.removeprefix(prefix).rpartition("-")
    return (name, role) if service.startswith(prefix) and role in {"keeper", "node"} else ("", "")
