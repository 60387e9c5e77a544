"""Small images for the store's tests, and the files that they are made of."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from lbkit.image.image import Image
from lbkit.image.store import Store, part_of


def stored(
    store: Store,
    name: str = "small",
    text: str = "1",
    made: str = "2030-01-01T00:00:00+00:00",
    virtual_size: int = 1 << 20,
    digest: str = "",
) -> Image:
    """An image of a few bytes, with kernel and initrd."""
    with store.making(name), store.draft() as folder:
        for file in ("disk.qcow2", "vmlinuz", "initrd"):
            (folder / file).write_text(f"{file} {text}", encoding="utf-8")
        return store.keep(
            Image(
                name=name,
                digest=digest or hashlib.sha256(text.encode()).hexdigest(),
                guest="lbkit",
                disk=part_of(folder / "disk.qcow2"),
                virtual_size=virtual_size,
                made=made,
                folder=folder,
                kernel=part_of(folder / "vmlinuz"),
                initrd=part_of(folder / "initrd"),
                command_line="quiet",
                source={"recipe": "none"},
            )
        )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def qcow2(path: Path, *options: str, size: str = "1M") -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), size], check=True)
    return path
