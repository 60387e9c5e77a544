"""A test's own copy of what roles write on a host: folders of the system, covered for this process and its children alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lbkit.base import syscalls


@contextlib.contextmanager
def covered(folder: Path, *, copies: tuple[str, ...] = (), empty: tuple[str, ...] = ()) -> Iterator[None]:
    """`copies` are covered by copies of themselves, `empty` by nothing. In a sandbox only, where mounts are private.

    An ordinary user's copy has all that this user may read, and belongs to the sandbox's root.
    """
    with contextlib.ExitStack() as after:
        for target in (*copies, *empty):
            place = folder / target.strip("/").replace("/", "-")
            place.mkdir(parents=True)
            if target in copies:
                subprocess.run(
                    ["cp", "-a", f"{target}/.", place], capture_output=True, check=False, timeout=60
                )
            syscalls.mount(str(place), target, "none", syscalls.MS_BIND)
            after.callback(syscalls.unmount, target)
        yield


def digest(*folders: str) -> dict[str, tuple[str, ...]]:
    """All that stands below: kind and mode, owner and group, and content."""
    found: dict[str, tuple[str, ...]] = {}
    for top in folders:
        for folder, inner, files in os.walk(top):
            for name in (*inner, *files):
                path = Path(folder, name)
                status = path.lstat()
                if stat.S_ISLNK(status.st_mode):
                    content = os.readlink(path)
                elif stat.S_ISREG(status.st_mode):
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                else:
                    content = ""
                found[str(path)] = (oct(status.st_mode), f"{status.st_uid}:{status.st_gid}", content)
    return found
