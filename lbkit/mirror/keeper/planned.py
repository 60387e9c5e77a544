"""What a sync would do, as a person is told of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from lbkit.mirror.sync.changes import Changes, Counted
from lbkit.mirror.tree.build import Lines
from lbkit.mirror.tree.manifest import escaped, path_of


def told(changes: Changes, lines: Lines, objections: Sequence[str], most: int) -> dict[str, Any]:
    """As control.py says; `lines` are of the manifest that it was compared with."""
    added, changed = _split(changes.fetched, lines(), most)
    relinked = Counted(
        changes.before.files - changes.changed.files - changes.deleted.files,
        changes.after.size - changes.added.size - changes.changed.size,
    )
    counted = {
        "added": changes.added,
        "changed": changes.changed,
        "deleted": changes.deleted,
        "relinked": relinked,
        "before": changes.before,
        "after": changes.after,
    }
    return {
        **{name: asdict(each) for name, each in counted.items()},
        "folders": len(changes.folders),
        "objections": [*objections],
        "first": {
            "added": [*map(_text, added)],
            "changed": [*map(_text, changed)],
            "deleted": [*map(_text, changes.gone[:most])],
        },
    }


def _split(paths: Iterable[bytes], lines: Iterable[bytes], most: int) -> tuple[list[bytes], list[bytes]]:
    """Of paths in a manifest's order the first that are not in it, and the first that are."""
    added: list[bytes] = []
    changed: list[bytes] = []
    known = iter(lines)
    line = next(known, None)
    for path in paths:
        if len(added) >= most and len(changed) >= most:
            break
        key = escaped(path)
        while line is not None and path_of(line) < key:
            line = next(known, None)
        into = changed if line is not None and path_of(line) == key else added
        if len(into) < most:
            into.append(path)
    return added, changed


def _text(path: bytes) -> str:
    """It may be printed: a name can have a line break, or what steers a terminal."""
    text = path.decode(errors="backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]
