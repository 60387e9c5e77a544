"""Trees as data, and as files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lbkit.mirror.tree import manifest
from lbkit.mirror.tree.build import build
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.manifest import entry_of
from lbkit.mirror.tree.scan import entry, walk
from lbkit.mirror.tree.store import Store

Tree = dict[bytes, bytes]
"""Path to content; a content that begins with `->` is a link to the rest. Folders come with what is in them."""

TIME = 1_700_000_000


def lay(root: Path, tree: Tree) -> None:
    """On the disk, as a master would find it."""
    for path, content in tree.items():
        here = os.path.join(os.fsencode(root), path)
        os.makedirs(os.path.dirname(here), exist_ok=True)
        put(here, content)


def put(here: bytes, content: bytes) -> None:
    if content.startswith(b"->"):
        os.symlink(content[2:], here)
        return
    with open(here, "wb") as stream:
        stream.write(content)
    os.chmod(here, 0o644)
    os.utime(here, (TIME, TIME))


def found(root: Path) -> Tree:
    """What lies there; a folder with nothing in it is a path that ends with a slash."""
    top, tree = os.fsencode(root), {}
    for seen in walk(top):
        here = os.path.join(top, seen.path)
        if seen.kind == "l":
            tree[seen.path] = b"->" + os.readlink(here)
        elif seen.kind == "f":
            with open(here, "rb") as stream:
                tree[seen.path] = stream.read()
        elif not os.listdir(here):
            tree[seen.path + b"/"] = b""
    return tree


def lines(root: Path) -> list[bytes]:
    top = os.fsencode(root)
    return [entry(top, seen).line for seen in walk(top)]


def made(store: Store, serial: int, tree: Tree, plain: Path, *, keep: int = 3) -> Iterator[str]:
    """One generation of the tree, as lbkit makes them; between the steps it yields what is next.

    `plain` is a folder where the tree is laid first, for its manifest.
    """
    lay(plain, tree)
    want = lines(plain)
    missing: list[bytes] = []
    yield "begin"
    have = store.begin()
    before = [each.serial for each in store.generations()]
    yield "build"
    build(have.root, have.lines, lambda: want, [store.source(each) for each in before[-1:]], missing.append)
    yield "fetch"
    for line in missing:
        path = entry_of(line).path
        put(os.path.join(os.fsencode(have.root), path), tree[path])
    with store.work_manifest.open("wb") as stream:
        summary = manifest.write(want, stream)
    yield "seal"
    store.seal(
        Generation(serial, summary.digest, summary.files, summary.size, 0.0, before[-1] if before else 0),
        keep,
    )
    yield "publish"
    store.publish(serial)
    yield "prune"
    store.prune(keep)
