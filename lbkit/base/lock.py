"""One apply at a time for a topology. The kernel drops the lock when its holder dies, however it dies.

Nearly at once: a child that the dead one had just forked has its descriptors until it calls exec.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lbkit.base.clock import Clock
from lbkit.base.errors import Bug, Failure
from lbkit.base.files import FileFailure, make_folder

LINGER = 2.0  # seconds; what a child needs between fork and exec, on a machine that has much else to do


class Locked(Failure):
    """Somebody else holds the lock; `holder` says who, as far as they wrote it down."""

    def __init__(self, path: Path, holder: str, waited: float) -> None:
        self.path = path
        self.holder = holder
        super().__init__(
            f"the lock {path} was to be taken",
            found=f"{holder or 'another process'} holds it, after {waited:g} s of waiting",
            remedy="let the other one finish, or wait longer with --lock-timeout",
        )


@contextlib.contextmanager
def locked(path: Path, clock: Clock, *, timeout: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on `path` for the block; wait at most `timeout` seconds for it.

    For one whose holder is dead, at least LINGER.

    The file is removed on leaving, while the lock is still held: a waiter that gets the lock of a removed
    file notices, and takes the new one.
    """
    begun = clock.monotonic()
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 500, 0).decode(errors="replace")
            os.close(descriptor)
            if clock.monotonic() - begun >= (max(timeout, LINGER) if _dead(holder) else timeout):
                raise Locked(path, _who(holder), timeout) from None
            clock.sleep(0.05)
            continue
        if _same_file(descriptor, path):
            break
        os.close(descriptor)
    try:
        note = json.dumps({"pid": os.getpid(), "command": sys.argv[:3], "since": clock.now().isoformat()})
        with contextlib.suppress(OSError):  # the note is a courtesy; the lock is the kernel's
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, note.encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _open(path: Path) -> int:
    """Whoever leaves last removes the folder: between its making and the opening somebody else may have."""
    for last in (False, False, True):
        make_folder(path.parent)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if last or not isinstance(error, FileNotFoundError):
                raise FileFailure("opened as a lock", path, error) from error
    raise Bug("a lock was to be opened or refused")


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        ours, theirs = os.fstat(descriptor), os.stat(path)
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


def _who(note: str) -> str:
    try:
        data = json.loads(note)
        return f"pid {data['pid']} ({' '.join(data['command'])}), since {data['since']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _dead(note: str) -> bool:
    try:
        os.kill(json.loads(note)["pid"], 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        return False
    return False
