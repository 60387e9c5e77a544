"""After a generation came to serve: make the tree that left as the newest is, so that the next sync changes just what changes."""

from __future__ import annotations

from contextlib import suppress

from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.build import build
from lbkit.mirror.tree.store import Store


def make_ready(store: Store) -> None:
    """What is spare is as the newest generation after this. Where there is none, or it is so already: nothing.

    Killed in between, there is no spare any more, and the next tree is linked anew. Raises Failure.
    """
    newest = next(reversed(store.generations()), None)
    spare = store.spare()
    if newest is None or spare == serials.NONE or store.is_ready(spare, newest.serial):
        return
    have = store.begin()
    with suppress(FileNotFoundError):
        (have.root / TRACE).unlink()
    missing: list[bytes] = []
    build(
        have.root,
        have.lines,
        lambda: store.lines(newest.serial),
        [store.source(newest.serial)],
        missing.append,
    )
    if missing:
        store.tidy()  # somebody removed them by hand: the tree is none that is known, and `verify` says so of the newest
    else:
        store.set_aside(spare, newest.serial)
