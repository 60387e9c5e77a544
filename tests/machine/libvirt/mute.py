"""An image of 512 bytes that says a few words on its first serial port, and then nothing more: it boots in no time."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from lbkit.image.image import Image
from lbkit.image.store import Store, part_of

LAST_WORDS = "Kernel panic - not syncing: No working init found."
SIZE = 1 << 20  # bytes of its disk

# fmt: off
_CODE = bytes.fromhex(
    "fa" "31c0" "8ed8"          # 00 cli; ds = 0
    "fc" "be207c"               # 05 cld; si = 0x7c20
    "baf803"                    # 09 dx = 0x3f8, COM1
    "ac" "84c0" "7403"          # 0c lodsb; at its end go on at 0x14
    "ee" "ebf8"                 # 11 out %al, and again
    "f4" "ebfd"                 # 14 hlt, for ever
)
# fmt: on


def boot_sector(words: str = LAST_WORDS) -> bytes:
    text = f"{words}\r\n".encode() + b"\0"
    return (_CODE.ljust(0x20, b"\0") + text).ljust(510, b"\0") + b"\x55\xaa"


def mute_image(store: Store, folder: Path, name: str = "mute", words: str = LAST_WORDS) -> Image:
    raw = folder / f"{name}.raw"
    raw.write_bytes(boot_sector(words).ljust(SIZE, b"\0"))
    with store.making(name), store.draft() as draft:
        disk = draft / "disk.qcow2"
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw, disk], check=True)
        return store.keep(
            Image(
                name=name,
                digest=hashlib.sha256(raw.read_bytes()).hexdigest(),
                guest="lbkit",
                disk=part_of(disk),
                virtual_size=SIZE,
                made="2030-01-01T00:00:00+00:00",
                folder=draft,
            )
        )
