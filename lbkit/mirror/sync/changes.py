"""What a sync would do to the generation that stands: counted, judged, and told, before a byte moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.tree.manifest import Lines, escaped


@dataclass(frozen=True, slots=True)
class Counted:
    """Files and links, and the bytes of the files."""

    files: int = 0
    size: int = 0

    def plus(self, size: int) -> Counted:
        return Counted(self.files + 1, self.size + size)


@dataclass(frozen=True, slots=True)
class Changes:
    """`fetched` are the paths of files and links to get, `folders` the new ones, `gone` what is not at upstream any more; all sorted
    as a manifest is. Of `changed` the size is the new one, of `deleted` the old one; `before` and `after` are the whole tree, and
    `entries` are the files, links and folders that it has after it.
    """

    fetched: tuple[bytes, ...]
    folders: tuple[bytes, ...]
    gone: tuple[bytes, ...]
    added: Counted
    changed: Counted
    deleted: Counted
    before: Counted
    after: Counted
    entries: int

    def __bool__(self) -> bool:
        return bool(self.fetched or self.folders or self.gone)


def changes_of(items: Iterable[Item], lines: Lines) -> Changes:
    """Of what rsync said, and the manifest of the tree that it was compared with."""
    wanted: dict[bytes, Item] = {}
    for item in items:
        wanted[escaped(item.path)] = item
    added = changed = deleted = Counted()
    files = size = grown = folded = 0
    for line in lines():
        fields = line.split(b"\t")
        if len(fields) == 2:
            folded += 1
            continue
        own = int(fields[4]) if len(fields) == 6 else 0
        files, size = files + 1, size + own
        told = wanted.get(fields[0])
        if told is None:
            continue
        if told.doing == "delete":
            deleted = deleted.plus(own)
        else:
            changed = changed.plus(told.size)
            grown += told.size - own
    before = Counted(files, size)
    for item in wanted.values():
        if item.doing == "add" and item.kind != "d":
            added = added.plus(item.size)
    paths = sorted(wanted)
    folders = tuple(
        wanted[path].path for path in paths if wanted[path].doing == "add" and wanted[path].kind == "d"
    )
    gone = tuple(wanted[path].path for path in paths if wanted[path].doing == "delete")
    return Changes(
        tuple(
            wanted[path].path for path in paths if wanted[path].doing != "delete" and wanted[path].kind != "d"
        ),
        folders,
        gone,
        added,
        changed,
        deleted,
        before,
        Counted(before.files + added.files - deleted.files, before.size + added.size + grown - deleted.size),
        before.files + folded + added.files + len(folders) - len(gone),
    )
