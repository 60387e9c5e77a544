"""Who reads a tree: processes that have a file or a folder of it open, or that work or are rooted in one (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def is_read(trees: Iterable[Path]) -> bool:
    """Whether any process but this has anything below one of the trees open, or is at home there.

    Of processes that may not be looked into nothing is known: rsync and the web server run as this user, or this is root.
    """
    tops = [(os.fspath(tree.resolve()), f"{tree.resolve()}/") for tree in trees]
    return any(path == top or path.startswith(below) for path in _open_paths() for top, below in tops)


def _open_paths() -> Iterator[str]:
    own = os.getpid()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == own:
            continue
        folder = f"/proc/{entry}"
        try:
            links = [
                f"{folder}/cwd",
                f"{folder}/root",
                *(f"{folder}/fd/{name}" for name in os.listdir(f"{folder}/fd")),
            ]
        except OSError:  # it has ended, or is not ours to look into
            continue
        for link in links:
            try:
                yield os.readlink(link)
            except OSError:
                continue
