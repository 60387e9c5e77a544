"""What belongs to a load balancer that a person names: HAProxy and keepalived on each of its machines. Pure."""

from __future__ import annotations

from collections.abc import Collection

from lbkit.engine.resource import Key


def things(keys: Collection[Key]) -> dict[str, frozenset[Key]]:
    """`load_balancer/shop`; `haproxy/lb-1/shop` and `vip/lb-1/shop` are of one machine."""
    found: dict[str, set[Key]] = {}
    for key in keys:
        if key.kind in {"haproxy", "vip"}:
            found.setdefault(f"{key.kind}/{key.name}", set()).add(key)
            found.setdefault(f"load_balancer/{key.name.rpartition('/')[2]}", set()).add(key)
        elif key.kind in {"backend", "server"}:  # rows of status
            found.setdefault(f"load_balancer/{key.name.partition('/')[0]}", set()).add(key)
    return {name: frozenset(its) for name, its in found.items()}
