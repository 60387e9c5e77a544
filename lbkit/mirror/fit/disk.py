"""The disk that generations are to lie on: whether it can have them is found by doing, in a folder that goes again."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.size import size_of
from lbkit.mirror.fit.told import Fit, refused
from lbkit.mirror.serving.launch import Account, demand_passable

_OTHER = "ext4, xfs, btrfs and zfs can"
_RECORD = re.compile(r"gen-[1-9][0-9]{0,9}\.json", re.ASCII)  # tree/store.py
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Content:
    """What a mirror is to have: bytes and inodes (files, folders, links) of one whole generation, and what each further one takes that the ones
    before it do not have: its files that are new, all of its folders and links. `keep` as in the topology.
    """

    size: int = 0
    inodes: int = 0
    more_size: int = 0
    more_inodes: int = 0
    keep: int = 3


@dataclass(frozen=True, slots=True)
class Disk:
    """`least_free`, `least_inodes`: to be free whatever is there. `own`: the folder is to be where a disk is mounted."""

    path: Path
    content: Content = Content()
    least_free: int = 0
    least_inodes: int = 0
    own: bool = False


def disk(wanted: Disk, readers: Account | None) -> Iterator[Fit]:
    """`readers` are to come to the folder, as nginx."""
    path = wanted.path
    stands = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not stands.is_dir():
        yield Fit("folder", False, f"{stands} is no folder", "remove it, or name another folder")
        return
    yield Fit("folder", True, f"{path} is there" if stands == path else f"{path} is to come, in {stands}")
    if wanted.own:
        yield _own(path)
    if readers is not None:
        try:
            demand_passable(path, readers)
            yield Fit("way to the folder", True, f"{readers.user} may go there")
        except Failure as error:
            yield refused("way to the folder", error)
    yield _tried(stands)
    yield from _space(wanted, stands)


def _own(path: Path) -> Fit:
    if os.path.ismount(path):
        return Fit("disk of its own", True, f"one is mounted at {path}")
    return Fit(
        "disk of its own",
        False,
        f"none is mounted at {path}: what is written there goes to the disk of {path.parent}",
        "mount it, in /etc/fstab too",
    )


def _tried(folder: Path) -> Fit:
    """All that a store does on its disk (tree/store.py), once. The folder's times are afterwards as they were."""
    name = "links, renames, modes"
    before = folder.stat()
    try:
        made = Path(tempfile.mkdtemp(prefix=".lbkit-tried-", dir=folder))
    except OSError as error:
        return Fit(name, False, f"{error.strerror}: {folder} may not be written", _remedy(folder))
    try:
        wrong = _wrong(made)
    finally:
        shutil.rmtree(made)
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    if not wrong:
        return Fit(name, True, f"as they have to be, on {_kind(folder)}")
    return Fit(name, False, f"{_kind(folder)} {wrong}", f"another file system for {folder}: {_OTHER}")


def _wrong(made: Path) -> str:
    """What its file system cannot do; "": all is well."""
    file = made / "file"
    doing = "has no files"
    try:
        file.write_bytes(b"lbkit")
        doing = "keeps no modes"
        file.chmod(0o640)
        if stat.S_IMODE(file.stat().st_mode) != 0o640:
            return doing
        doing = "has no hard links"
        os.link(file, made / "linked")
        if file.stat().st_ino != (made / "linked").stat().st_ino:
            return doing
        doing = "has no symbolic links"
        (made / "now").symlink_to("one")
        (made / "next").symlink_to("two")
        doing = "does not replace one link by another at once"
        os.rename(made / "next", made / "now")
        if os.readlink(made / "now") != "two":
            return doing
        doing = "renames no folders"
        (made / "folder").mkdir()
        os.rename(made / "folder", made / "renamed")
    except OSError as error:
        return f"{doing}: {error.strerror}"
    return "takes names in large and small letters for one" if (made / "FILE").exists() else ""


def _remedy(folder: Path) -> str:
    return f"mount its disk so that it can be written, or run as root: {_kind(folder)}"


def _kind(folder: Path) -> str:
    """The file system's type and where it is mounted (proc_pid_mountinfo(5)), as in "ext4 of /srv"."""
    device = folder.stat().st_dev
    number, found = f"{os.major(device)}:{os.minor(device)}", ""
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return str(folder)
    for line in lines:
        fields, _, after = line.partition(" - ")
        words = fields.split()
        if words[2] == number and folder.is_relative_to(words[4]):
            found = f"{after.split()[0]} of {words[4]}"  # the last one covers the others
    return found or str(folder)


def _space(wanted: Disk, stands: Path) -> Iterator[Fit]:
    there = _standing(wanted.path)
    content = wanted.content
    whole = there is None
    more = max(1, content.keep + 1 - max(1, there or 0))
    needed = max(wanted.least_free, content.size * whole + content.more_size * more)
    inodes = max(wanted.least_inodes, content.inodes * whole + content.more_inodes * more)
    state = os.statvfs(stands)
    free = state.f_bavail * state.f_frsize
    if needed:
        yield _enough("space", free, needed, size_of, stands)
    if inodes and state.f_files:  # some file systems count none: they make them as they go
        yield _enough("inodes", state.f_favail, inodes, str, stands)


def _enough(name: str, free: int, needed: int, shown: Callable[[int], str], stands: Path) -> Fit:
    found = f"{shown(free)} free on {_kind(stands)}, {shown(needed)} needed"
    if free >= needed:
        return Fit(name, True, found)
    remedy = "a larger disk, or less that has to be free"
    return Fit(
        name, False, found, f"{remedy}; mkfs says how many inodes there are" if name == "inodes" else remedy
    )


def _standing(path: Path) -> int | None:
    """How many generations each store below has at least (PATH/MACHINE/MIRROR/ROLE/store); None where there is none that has one."""
    counts = [
        count
        for store in path.glob("*/*/*/store")
        if (count := sum(1 for each in os.listdir(store) if _RECORD.fullmatch(each)))
    ]
    return min(counts, default=None)
