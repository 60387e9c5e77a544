"""The header of a qcow2 file, read without QEMU: what comes from elsewhere is judged before QEMU opens it.

A qcow2 file can name other files (a backing file, an external data file) that QEMU would open as the host's: no image that
does is taken. Layout: QEMU, docs/interop/qcow2.txt.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
HEADER = 104  # bytes of version 3 that are read here; version 2 has 72

_DIRTY, _CORRUPT, _DATA_FILE = 1, 2, 4  # incompatible features


@dataclass(frozen=True, slots=True)
class Header:
    version: int
    virtual_size: int
    backing: bool
    encrypted: bool
    snapshots: int
    data_file: bool
    corrupt: bool
    dirty: bool
    unknown: int  # incompatible features that this does not know


def read_header(start: bytes) -> Header:
    """From the first HEADER bytes of a file. ValueError says what is no qcow2 about it."""
    if start[:4] != MAGIC:
        raise ValueError("no qcow2 file")
    if len(start) < 72:
        raise ValueError("a qcow2 header that ends too early")
    (version, backing_offset, _, cluster_bits, size, crypt) = struct.unpack_from(">IQIIQI", start, 4)
    (snapshots,) = struct.unpack_from(">I", start, 60)
    if version not in {2, 3}:
        raise ValueError(f"a qcow2 file of version {version}, not 2 or 3")
    if not 9 <= cluster_bits <= 21:
        raise ValueError(f"a qcow2 file with clusters of 2^{cluster_bits} bytes")
    features = 0
    if version == 3:
        if len(start) < HEADER:
            raise ValueError("a qcow2 header that ends too early")
        (features,) = struct.unpack_from(">Q", start, 72)
    known = _DIRTY | _CORRUPT | _DATA_FILE | 8 | 16  # compression type, extended L2 entries
    return Header(
        version=version,
        virtual_size=size,
        backing=backing_offset != 0,
        encrypted=crypt != 0,
        snapshots=snapshots,
        data_file=bool(features & _DATA_FILE),
        corrupt=bool(features & _CORRUPT),
        dirty=bool(features & _DIRTY),
        unknown=features & ~known,
    )


def why_refused(header: Header) -> str:
    """Why no image may be made of it, or ""."""
    reasons = (
        (header.backing, "it stands on a backing file, which QEMU would open on this host"),
        (header.data_file, "it keeps its data in another file, which QEMU would open on this host"),
        (header.encrypted, "it is encrypted"),
        (header.corrupt, "it is marked as corrupt"),
        (header.unknown != 0, f"it asks for features that are not known here ({header.unknown:#x})"),
        (header.virtual_size == 0, "its disk has no size"),
    )
    return next((words for applies, words in reasons if applies), "")
