"""What belongs to a machine that a person names: the resource, and the services that it declares. Pure."""

from __future__ import annotations

from collections.abc import Collection

from lbkit.engine.resource import Key
from lbkit.machine.resolved import COMMISSIONED, Machines

Things = dict[str, frozenset[Key]]


def things(machines: Machines, keys: Collection[Key]) -> Things:
    """`machine/web-1`, and `machine/web`, the group; other resources by themselves.

    What other rooms commission or run on a machine is theirs: it comes with their own things, and goes with the machine that it is within.
    """
    found: dict[str, set[Key]] = {}
    spares: dict[str, set[Key]] = {}
    for key in keys:
        member, _, rest = key.name.partition("/")
        if key.kind in {"machine", "presence"}:
            found.setdefault(f"machine/{key.name}", set()).add(key)
        elif key.kind == "service":
            found.setdefault(f"service/{key.name}", set()).add(key)
            if not rest.startswith(COMMISSIONED):
                found.setdefault(f"machine/{member}", set()).add(key)
        elif key.kind == "spare":
            found.setdefault(f"spare/{key.name}", set()).add(key)
            spares.setdefault(member, set()).add(key)
    for group, members in machines.groups.items():
        if group not in members and f"machine/{group}" in found:
            continue  # a machine that is called as a group that it is not of: itself is meant
        its = spares.get(group, set()).union(*(found.get(f"machine/{member}", ()) for member in members))
        if its:
            found[f"machine/{group}"] = its
    return {name: frozenset(its) for name, its in found.items()}
