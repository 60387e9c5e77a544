"""One image of the store as data, and its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure, Mistake

SCHEMA = "lbkit.image/1"
DESCRIPTION = "image.json"
GUESTS = ("lbkit", "cloud-init")
SHOWN = 12  # hexadecimal digits of a digest that names of folders and people use

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)


class BrokenImage(Failure):
    """An image is not what was once stored."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an image as it was when the image was stored. `sha256` in hexadecimal digits."""

    file: str
    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Image:
    """`digest` (hexadecimal SHA-256) is of the recipe of a built image, of the content of an added one.

    `guest` is how a machine on it learns who it is: "lbkit" (its own program, from the seed) or "cloud-init".
    With a kernel it is booted by it, directly, with `initrd` and `command_line`; without one by its own boot loader.
    `disk` is always qcow2, with no backing file; `virtual_size` in bytes. `made` is ISO 8601, `source` what it was made from.
    """

    name: str
    digest: str
    guest: str
    disk: Part
    virtual_size: int
    made: str
    folder: Path
    kernel: Part | None = None
    initrd: Part | None = None
    command_line: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """NAME@DIGEST: just this one, also after another one of the name was built."""
        return f"{self.name}@{self.digest[:SHOWN]}"

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for part in (self.disk, self.kernel, self.initrd) if part is not None)

    @property
    def disk_path(self) -> Path:
        return self.folder / self.disk.file

    @property
    def kernel_path(self) -> Path | None:
        return self.folder / self.kernel.file if self.kernel else None

    @property
    def initrd_path(self) -> Path | None:
        return self.folder / self.initrd.file if self.initrd else None

    def as_data(self) -> dict[str, Any]:
        data = asdict(self)
        del data["folder"]
        return {"schema": SCHEMA, **data, "source": dict(self.source)}

    def told(self) -> dict[str, Any]:
        """As people and programs are told of it: with what it is called, and where it is."""
        return {**self.as_data(), "identity": self.identity, "folder": str(self.folder)}

    def as_json(self) -> bytes:
        return (json.dumps(self.as_data(), indent=2) + "\n").encode()


def read_image(folder: Path, text: bytes) -> Image:
    """BrokenImage where the text is not an image's description."""
    try:
        data = json.loads(text)
        if data.pop("schema") != SCHEMA:
            raise ValueError(f"not {SCHEMA}")  # noqa: TRY301 - told below with the others
        for part in ("disk", "kernel", "initrd"):
            data[part] = None if data[part] is None else _part(data[part])
        return Image(**data, folder=folder)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenImage(
            f"{folder / DESCRIPTION} was to describe an image",
            found=f"{type(error).__name__}: {error}",
            remedy=f"remove the folder {folder}, then build or add the image again",
        ) from error


def _part(data: dict[str, Any]) -> Part:
    part = Part(**data)
    if "/" in part.file or part.file in {"", ".", ".."}:
        raise ValueError(f"{part.file!r} is no name of a file")
    return part


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Mistake(
            f"an image was to be named by 1 to 63 of a-z, 0-9, '.', '_' and '-', not {name!r}",
            remedy="begin and end with a letter or a digit",
        )
    return name


def check_reference(reference: str) -> tuple[str, str]:
    """Name and digest ("" where none is given) of NAME or NAME@DIGEST; the digest may be its beginning."""
    name, at, digest = reference.partition("@")
    if at and not re.fullmatch(r"[0-9a-f]{6,64}", digest):
        raise Mistake(
            f"an image was to be named as NAME or NAME@DIGEST, not {reference!r}",
            remedy="give 6 or more hexadecimal digits of the digest; `lbkit image list` shows them",
        )
    return check_name(name), digest
