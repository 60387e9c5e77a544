"""Edits as messages of RFC 2136: how many fit into one, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from lbkit.dns.edits import Unit
from lbkit.dns.names import absolute
from lbkit.dns.values import TYPES

_FIXED = (
    13  # of a record, beside owner and data: a length, a pointer to the zone's name, type, class, TTL, length
)
_ADDRESS_OCTETS = {"A": 4, "AAAA": 16}


def packed(units: Sequence[Unit], room: int) -> Iterator[list[Unit]]:
    """`units` in batches of at most `room` octets each; a unit that is larger goes alone."""
    batch: list[Unit] = []
    used = 0
    for unit in units:
        size = octets(unit)
        if batch and used + size > room:
            yield batch
            batch, used = [], 0
        batch.append(unit)
        used += size
    if batch:
        yield batch


def octets(unit: Unit) -> int:
    """As many octets as `unit` takes in a message at most. Names in it are compressed to the zone's name at least."""
    size = sum(len(name) + _FIXED for name in unit.unused)
    for edit in unit.edits:
        owner = len(edit.name) + _FIXED
        if edit.before is None and edit.name not in unit.unused:
            size += owner
        for values in (edit.before.values if edit.before else (), edit.remove, edit.add):
            size += sum(owner + _data_octets(edit.kind, value) for value in values)
    return size


def _data_octets(kind: str, value: str) -> int:
    if kind in TYPES:
        return _ADDRESS_OCTETS.get(kind, len(value) + 1)
    return 16 + 6 * len(value)  # the densest text is an address hint: "::," is 16 octets (RFC 9460)


def update_message(zone: str, units: Sequence[Unit]) -> Any:
    """A `dns.update.UpdateMessage`, unsigned: prerequisites, then what is removed, then what is added."""
    from dns.name import from_text as name_of  # noqa: PLC0415 - 50 ms: where an update is sent, and not before
    from dns.rdata import from_text as data_of  # noqa: PLC0415
    from dns.update import UpdateMessage  # noqa: PLC0415

    @cache
    def at(name: str) -> Any:
        return name_of(absolute(name, zone) + ".")

    @cache
    def data(kind: str, value: str) -> Any:
        return data_of("IN", kind, value)

    message = UpdateMessage(zone)
    for unit in units:
        for name in unit.unused:
            message.absent(at(name))
        for edit in unit.edits:
            if edit.before is not None:
                message.present(
                    at(edit.name), *(data(edit.kind, value) for value in sorted(edit.before.values))
                )
            elif edit.name not in unit.unused:
                message.absent(at(edit.name), edit.kind)
    for edit in [edit for unit in units for edit in unit.edits if edit.remove]:
        message.delete(at(edit.name), *(data(edit.kind, value) for value in edit.remove))
    for edit in [edit for unit in units for edit in unit.edits if edit.add]:
        message.add(at(edit.name), edit.ttl, *(data(edit.kind, value) for value in edit.add))
    return message
