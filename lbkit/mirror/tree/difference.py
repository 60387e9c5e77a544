"""What a manifest has otherwise than the one before, small enough to be said in a message: so most need no transfer of their own."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from lbkit.base.errors import Failure
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.manifest import Change, delta, patched, write
from lbkit.mirror.tree.store import Store

MOST = 256 << 10  # bytes, as it is said
_ORDERS = 2 << 20  # bytes of all orders


@dataclass(frozen=True, slots=True)
class Difference:
    """`base` is the serial whose manifest the orders change (manifest.delta)."""

    base: int
    orders: bytes

    @classmethod
    def of(cls, store: Store, generation: Generation) -> Difference | None:
        """From the generation that it was made from. None where that has gone, or it is too long, or a manifest has faults."""
        if generation.parent == serials.NONE or store.find(generation.parent) is None:
            return None
        found, size = [], 0
        try:
            for order in delta(store.lines(generation.parent), store.lines(generation.serial)):
                found.append(order)
                size += len(order)
                if size > _ORDERS:
                    return None
        except Failure:  # `verify` finds it
            return None
        made = cls(generation.parent, b"".join(found))
        return made if len(made.as_data()["orders"]) <= MOST else None

    def as_data(self) -> dict[str, Any]:
        return {
            "base": self.base,
            "orders": base64.b64encode(zlib.compress(self.orders, 1)).decode("ascii"),
        }

    @classmethod
    def from_data(cls, data: Any) -> Difference | None:
        """None where it is none: the manifest is got by other ways then."""
        try:
            packed = base64.b64decode(data["orders"], validate=True)
            orders = zlib.decompressobj().decompress(packed, _ORDERS)
            return cls(int(data["base"]), orders)
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error):
            return None

    def write(self, store: Store, digest: str) -> list[Change] | None:
        """The manifest of that digest, as the one in the making: the changes that make it. None where it does not come out of what stands
        here.
        """
        if store.find(self.base) is None:
            return None
        found: list[Change] = []
        try:
            with store.work_manifest.open("wb") as to:
                lines = patched(store.lines(self.base), BytesIO(self.orders), found.append)
                return found if write(lines, to).digest == digest else None
        except Failure:
            return None
