"""The store of images: one folder, in it one folder for each image, NAME@DIGEST.

An image is made in a draft (`.new-*`) and gets its name when it is whole, by one rename: nobody sees half of one. Who
makes a draft holds a lock on its folder; what a killed one left is unlocked, and `prune` removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lbkit.base.errors import Failure, Mistake
from lbkit.base.files import FileFailure, make_folder, read, write_atomic
from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.base.problems import near
from lbkit.image.image import (
    DESCRIPTION,
    SHOWN,
    BrokenImage,
    Image,
    Part,
    check_name,
    check_reference,
    read_image,
)
from lbkit.image.isolation import remove_tree

LOCK_TIMEOUT = 3600.0  # seconds that a second build waits for the first
_DRAFT = ".new-"
_BLOCK = 1 << 20
_TRIES = 10


class NoSuchImage(Mistake):
    """A name that no image of the store has."""


class UsedImage(Mistake):
    """An image that machines stand on was to be removed."""


class Store:
    """The images of a host. Reading works for any user who may read the folder, and where none was ever made."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.folder = host.image_dir

    def find(self, reference: str) -> Image:
        """The image NAME (the one made last) or NAME@DIGEST, looked at quickly: its files have the size and time they had.

        Raises NoSuchImage, BrokenImage.
        """
        image = self._newest(reference)
        for part in image.parts:
            _look(image, part)
        return image

    def have(self, name: str, digest: str) -> Image | None:
        """That very image, if it is there and whole."""
        try:
            return self.find(f"{name}@{digest}")
        except NoSuchImage:
            return None

    def images(self) -> list[Image]:
        """All images, those made last first. A folder whose description cannot be read is left out: see `broken`."""
        images, _ = self._read()
        return images

    def broken(self) -> list[BrokenImage]:
        _, errors = self._read()
        return errors

    def verify(self, reference: str, watch: Callable[[float], None] = lambda _fraction: None) -> Image:
        """Read every byte. What is whole but was touched or copied is taken as it stands from then on."""
        image = self._newest(reference)
        total, before, seen = sum(part.size for part in image.parts), 0, {}
        for part in image.parts:
            done = before
            digest, found = _digest(image.folder / part.file, lambda size: watch((done + size) / total))  # noqa: B023
            if digest != part.sha256:
                raise _broken(image, part, f"its content's SHA-256 is {digest}, not {part.sha256}")
            seen[part.file] = replace(part, mtime_ns=found.st_mtime_ns)
            before += part.size
        again = replace(
            image,
            disk=seen[image.disk.file],
            kernel=image.kernel and seen[image.kernel.file],
            initrd=image.initrd and seen[image.initrd.file],
        )
        if again != image:
            write_atomic(image.folder / DESCRIPTION, again.as_json())
        return again

    def remove(self, reference: str, *, used: Iterable[str] = ()) -> Image:
        """Take away one image. `used`: references of those that machines stand on; UsedImage where it is one of them."""
        image = self._newest(reference)
        if image.identity in self._identities(used):
            raise UsedImage(
                f"image {image.identity} was to be removed",
                found="machines stand on it",
                remedy="destroy or replace them first",
            )
        self._take_away(image.folder)
        return image

    def unused(self, used: Iterable[str]) -> list[Image]:
        """What `prune` would remove; `used` as there."""
        kept = self._identities(used)
        return [image for image in self.images() if image.identity not in kept]

    def prune(self, used: Iterable[str]) -> list[str]:
        """Remove every image that `used` (NAME: the newest, or NAME@DIGEST) does not name, and what killed builds left.

        Returns the names of what went. A draft that somebody works on stays.
        """
        gone = []
        for image in self.unused(used):
            self._take_away(image.folder)
            gone.append(image.identity)
        drafts = [folder for folder in self._folders() if folder.name.startswith(_DRAFT)]
        return gone + [folder.name for folder in drafts if self._remove_abandoned(folder)]

    @contextlib.contextmanager
    def making(self, name: str, *, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """One at a time for each name; a second one waits."""
        check_name(name)
        make_folder(self.folder)
        with locked(self.folder / f".{name}.lock", self.host.clock, timeout=timeout):
            yield

    @contextlib.contextmanager
    def draft(self) -> Iterator[Path]:
        """A folder to make an image in, on the store's file system. Removed at the end, unless `keep` took it."""
        folder, descriptor = self._locked_draft()
        try:
            yield folder
        finally:
            if folder.exists():
                remove_tree(folder)
            os.close(descriptor)

    def keep(self, image: Image) -> Image:
        """Give the draft `image.folder` its name. It holds the image's parts and nothing else by now."""
        target = self.folder / image.identity
        try:
            for part in image.parts:
                os.chmod(image.folder / part.file, 0o644)  # other users' QEMU reads it
                _flush(image.folder / part.file)
            write_atomic(image.folder / DESCRIPTION, image.as_json())
            image.folder.chmod(0o755)
            _flush(image.folder)
            os.rename(image.folder, target)
            _flush(self.folder)
        except OSError as error:
            raise FileFailure("stored", target, error) from error
        return replace(image, folder=target)

    def _locked_draft(self) -> tuple[Path, int]:
        make_folder(self.folder)
        try:
            for _ in range(_TRIES):
                folder = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=self.folder))
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if folder.exists():
                    return folder, descriptor
                os.close(descriptor)  # somebody who prunes was faster than the lock
        except OSError as error:
            raise FileFailure("made", self.folder / f"{_DRAFT}*", error) from error
        raise Failure(
            f"a draft was to be made in {self.folder}", found=f"{_TRIES} of them were removed at once"
        )

    def _newest(self, reference: str) -> Image:
        name, digest = check_reference(reference)
        images, errors = self._read()
        for image in images:
            if image.name == name and image.digest.startswith(digest):
                return image
        for error in errors:
            if f"/{name}@{digest[:SHOWN]}" in error.wanted:
                raise error
        names = {image.name for image in images}
        raise NoSuchImage(
            f"image {reference} was to be in the store {self.folder}",
            found=f"only {', '.join(sorted(names))}" if names else "it has no image",
            remedy=near(name, names) if name not in names and near(name, names) else _HOW,
        )

    def _read(self) -> tuple[list[Image], list[BrokenImage]]:
        images, errors = [], []
        for folder in self._folders():
            if folder.name.startswith("."):
                continue
            text = read(folder / DESCRIPTION)
            if text is None:
                continue  # not ours, or just removed
            try:
                images.append(read_image(folder, text))
            except BrokenImage as error:
                errors.append(error)
        return sorted(images, key=lambda image: (image.made, image.identity), reverse=True), errors

    def _folders(self) -> list[Path]:
        try:
            return sorted(entry for entry in self.folder.iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FileFailure("read", self.folder, error) from error

    def _identities(self, references: Iterable[str]) -> set[str]:
        found = set()
        for reference in references:
            with contextlib.suppress(NoSuchImage):  # who uses what is long gone keeps nothing
                found.add(self._newest(reference).identity)
        return found

    def _take_away(self, folder: Path) -> None:
        """Out of sight at once, then off the disk: a kill between leaves what the next `prune` removes."""
        aside = self.folder / f"{_DRAFT}{folder.name}"
        try:
            os.rename(folder, aside)
        except FileNotFoundError:
            return
        except OSError as error:
            raise FileFailure("removed", folder, error) from error
        remove_tree(aside)

    def _remove_abandoned(self, folder: Path) -> bool:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise FileFailure("looked at", folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            remove_tree(folder)
            return True
        finally:
            os.close(descriptor)


_HOW = (
    "`lbkit image build debian-12-lb` builds one, `lbkit image add NAME PATH --sha256 ...` takes a ready one"
)


def part_of(path: Path) -> Part:
    """A finished file as a part of an image."""
    digest, status = _digest(path, lambda _size: None)
    return Part(path.name, digest, status.st_size, status.st_mtime_ns)


def _digest(path: Path, watch: Callable[[int], None]) -> tuple[str, os.stat_result]:
    digest, done = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                done += len(block)
                watch(done)
            return digest.hexdigest(), os.fstat(stream.fileno())
    except OSError as error:
        raise FileFailure("read", path, error) from error


def _look(image: Image, part: Part) -> None:
    path = image.folder / part.file
    try:
        found = path.stat()
    except FileNotFoundError:
        raise _broken(image, part, "it is not there") from None
    except OSError as error:
        raise FileFailure("looked at", path, error) from error
    if found.st_size != part.size:
        raise _broken(image, part, f"it has {found.st_size} bytes, not {part.size}")
    if found.st_mtime_ns != part.mtime_ns:
        raise BrokenImage(
            f"{path} was to be as image {image.identity} was stored",
            found="it was written since, or copied without its time",
            remedy=f"`lbkit image verify {image.identity}` reads it whole, and takes it if nothing in it differs",
        )


def _broken(image: Image, part: Part, found: str) -> BrokenImage:
    return BrokenImage(
        f"{image.folder / part.file} was to be as image {image.identity} was stored",
        found=found,
        remedy=f"`lbkit image remove {image.identity}`, then build or add it again",
    )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
