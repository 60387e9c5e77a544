"""Have a tree in the making begin with the files that an attempt before it got: a mirror of days is not begun anew after a cut."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path


def take_over(left: Path, tree: Path, paths: Iterable[bytes]) -> list[bytes]:
    """Of these paths, which are not in the tree, and whose folders are, those where it has a file now, whatever its content. Both are on
    one disk. A file that a generation has too is left alone: what is done to its mode or time would be done there.
    """
    taken: list[bytes] = []
    if not left.is_dir():
        return taken
    top, to = os.fsencode(left), os.fsencode(tree)
    for path in paths:
        here = os.path.join(top, path)
        try:
            status = os.lstat(here)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                continue
            os.link(here, os.path.join(to, path), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue
        taken.append(path)
    return taken
