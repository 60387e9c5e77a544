"""A small initrd: the modules of a virtual machine's root disk in the order that they need, and one script. Pure.

A cpio archive in the form "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst), not compressed:
under TCG to unpack costs more than to load. The same content gives the same bytes.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterable, Mapping

PROGRAMS = ("sh", "mount", "insmod", "run-init")  # of klibc-utils, and the interpreter they have in common

_CONSOLE = (5, 1)  # /dev/console: before devtmpfs is mounted


def load_order(wanted: Iterable[str], modules_dep: str, builtin: str) -> list[str]:
    """Paths of modules below /lib/modules/VERSION, each after those it depends on, from the texts of depmod(8).

    Modules that the kernel has built in are passed over; KeyError names one that it does not have at all.
    """
    needs = {}
    for line in modules_dep.splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    path_of = {_name(path): path for path in needs}
    inside = {_name(path) for path in builtin.split()}
    order: list[str] = []
    for name in wanted:
        if name.replace("-", "_") in inside:
            continue
        path = path_of[name.replace("-", "_")]
        # modules.dep has them all, the last to be loaded first
        order += [each for each in (*reversed(needs[path]), path) if each not in order]
    return order


def _name(path: str) -> str:
    return posixpath.basename(path).split(".", 1)[0].replace("-", "_")


def initrd(init: bytes, programs: Mapping[str, bytes], modules: Iterable[tuple[str, bytes]]) -> bytes:
    """`programs` by their absolute path; `modules` in the order to load them, each with its file name."""
    archive = _Archive()
    for folder in ("dev", "modules", "root"):
        archive.put(folder, stat.S_IFDIR | 0o755)
    archive.put("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE)
    for path, content in sorted({**programs, "/init": init}.items()):
        archive.put_file(path.lstrip("/"), content)
    for number, (name, content) in enumerate(modules):
        archive.put_file(f"modules/{number:02}-{name}", content)
    return archive.end()


class _Archive:
    def __init__(self) -> None:
        self._bytes = bytearray()
        self._folders: set[str] = set()
        self._number = 0

    def put_file(self, path: str, content: bytes) -> None:
        for folder in _folders_of(path):
            if folder not in self._folders:
                self.put(folder, stat.S_IFDIR | 0o755)
        self.put(path, stat.S_IFREG | 0o755, content)

    def put(self, path: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._number += 1
        if stat.S_ISDIR(mode):
            self._folders.add(path)
        name = path.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device (2), special device (2), size of the name, checksum
        fields = (self._number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        self._append(b"070701" + b"".join(b"%08X" % value for value in fields) + name)
        self._append(content)

    def end(self) -> bytes:
        self.put("TRAILER!!!", 0)
        return bytes(self._bytes)

    def _append(self, part: bytes) -> None:
        self._bytes += part + bytes(-(len(self._bytes) + len(part)) % 4)


def _folders_of(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]
