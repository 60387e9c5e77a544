"""A ready image taken into the store: copied, its digest checked while it is, and nothing of it executed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lbkit.base.errors import Mistake
from lbkit.base.files import FileFailure, shown
from lbkit.base.run import CommandFailed
from lbkit.image import qcow2
from lbkit.image.image import GUESTS, SHOWN, Image, check_name
from lbkit.image.progress import Step, Watch, unwatched
from lbkit.image.running import run_told
from lbkit.image.store import LOCK_TIMEOUT, Store, part_of

_BLOCK = 1 << 20
_HOLE = 1 << 16  # bytes of zeros that become a hole of a raw copy
_ZEROS = bytes(_HOLE)
_SECTOR = 512
_OTHERS = (
    (b"KDMV", "a VMDK"),
    (b"# Disk Descri", "a VMDK"),
    (b"<<< ", "a VDI"),
    (b"vhdxfile", "a VHDX"),
    (b"conectix", "a VHD"),
    (b"QED\0", "a QED"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\xfd7zXZ", "compressed (xz)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"BZh", "compressed (bzip2)"),
    (b"PK\x03\x04", "a ZIP archive"),
)


class WrongDigest(Mistake):
    """The file is not the one that the given digest is of."""


def add_image(
    store: Store,
    name: str,
    path: Path,
    *,
    sha256: str,
    guest: str = "cloud-init",
    watch: Watch = unwatched,
    lock_timeout: float = LOCK_TIMEOUT,
) -> tuple[Image, bool]:
    """Take the qcow2 or raw file `path` as NAME; False where it was there already. Raises Mistake, WrongDigest, Failure.

    Its boot loader has to be in it: it is booted as it is.
    """
    check_name(name)
    wanted = digest_of(sha256)
    check_guest(guest)
    with store.making(name, timeout=lock_timeout):
        if image := store.have(name, wanted[:SHOWN]):
            return image, False
        with store.draft() as folder:
            copy = folder / "given"
            _copy(path, copy, wanted, watch)
            disk = _as_qcow2(path, copy, folder / "disk.qcow2", watch)
            with disk.open("rb") as stream:
                header = qcow2.read_header(stream.read(qcow2.HEADER))
            image = Image(
                name=name,
                digest=wanted,
                guest=guest,
                disk=part_of(disk),
                virtual_size=header.virtual_size,
                made=store.host.clock.now().isoformat(timespec="seconds"),
                folder=folder,
                source={"file": path.name},
            )
            return store.keep(image), True


def digest_of(sha256: str) -> str:
    """A SHA-256 as the store has it; Mistake where it is none."""
    wanted = sha256.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise Mistake(f"a SHA-256 was to be 64 hexadecimal digits, not {sha256!r}")
    return wanted


def check_guest(guest: str) -> None:
    if guest not in GUESTS:
        raise Mistake(f"the kind of guest was to be one of {', '.join(GUESTS)}, not {guest!r}")


def check_file(path: Path, wanted: str) -> None:
    """What `add_image` would refuse of the file is refused; nothing is made. It is read whole."""
    digest = hashlib.sha256()
    with _given(path) as (source, _):
        try:
            start = source.read(qcow2.HEADER)
            source.seek(0)
            while block := source.read(_BLOCK):
                digest.update(block)
        except OSError as error:
            raise FileFailure("read", path, error) from error
    _compare(path, digest.hexdigest(), wanted)
    if start.startswith(qcow2.MAGIC):
        _check_qcow2(path, path)


@contextmanager
def _given(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file, at its start, and its size. Mistake where it is no image by its first bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise Mistake(
            f"the image {shown(path)} was to be read", found=error.strerror or str(error)
        ) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Mistake(f"the image {shown(path)} was to be a regular file")
    with os.fdopen(descriptor, "rb") as source:
        _refuse_form(path, source.read(qcow2.HEADER), status.st_size)
        source.seek(0)
        yield source, status.st_size


def _compare(path: Path, found: str, wanted: str) -> None:
    if found != wanted:
        raise WrongDigest(
            f"the image {shown(path)} was to have the SHA-256 {wanted}",
            found=found,
            remedy="load it again, and compare with what its publisher says; nothing was kept",
        )


def _copy(path: Path, copy: Path, wanted: str, watch: Watch) -> None:
    digest, done = hashlib.sha256(), 0
    with _given(path) as (source, size):
        try:
            with copy.open("xb") as target:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    for start in range(0, len(block), _HOLE):
                        piece = block[start : start + _HOLE]
                        if piece == _ZEROS:
                            target.seek(_HOLE, os.SEEK_CUR)
                        else:
                            target.write(piece)
                    done += len(block)
                    watch(Step("copy", done / max(size, done)))
                target.truncate(done)
        except OSError as error:
            raise FileFailure("copied into the store", path, error) from error
    _compare(path, digest.hexdigest(), wanted)


def _refuse_form(path: Path, start: bytes, size: int) -> None:
    what = f"the image {shown(path)} was to be qcow2 or raw"
    for magic, words in _OTHERS:
        if start.startswith(magic):
            raise Mistake(
                what,
                found=f"it is {words}",
                remedy="unpack it, or convert it with `qemu-img convert -O qcow2`",
            )
    if start.startswith(qcow2.MAGIC):
        try:
            refused = qcow2.why_refused(qcow2.read_header(start))
        except ValueError as error:
            raise Mistake(what, found=str(error)) from error
        if refused:
            raise Mistake(
                f"the image {shown(path)} was to stand on its own",
                found=refused,
                remedy="where you trust it, make one file of it: `qemu-img convert -O qcow2 OLD NEW`",
            )
    elif size == 0 or size % _SECTOR:
        raise Mistake(what, found=f"{size} bytes that are neither, not a whole number of sectors")


def _as_qcow2(path: Path, copy: Path, disk: Path, watch: Watch) -> Path:
    with copy.open("rb") as stream:
        start = stream.read(qcow2.HEADER)
    _refuse_form(path, start, copy.stat().st_size)  # what was copied, whatever the path names by now
    if start.startswith(qcow2.MAGIC):
        os.rename(copy, disk)
        watch(Step("check"))
        _check_qcow2(path, disk)
        return disk
    convert(copy, disk, watch)
    os.unlink(copy)
    return disk


def _check_qcow2(path: Path, disk: Path) -> None:
    """`disk` is the file at `path`, or its copy."""
    try:
        run_told(["qemu-img", "check", "-q", "-f", "qcow2", str(disk)])
    except CommandFailed as error:
        raise Mistake(
            f"the image {shown(path)} was to be a sound qcow2 file",
            found=error.completed.stderr.strip(),
            remedy="load it again; its publisher's file is broken where that does not help",
        ) from error


def convert(raw: Path, disk: Path, watch: Watch) -> None:
    """A raw file as qcow2, with holes where it has zeros."""

    def told(line: str) -> None:
        percent = re.search(r"\(([0-9.]+)/100%\)", line)
        watch(Step("convert", float(percent[1]) / 100 if percent else None))

    run_told(["qemu-img", "convert", "-p", "-f", "raw", "-O", "qcow2", str(raw), str(disk)], told)
