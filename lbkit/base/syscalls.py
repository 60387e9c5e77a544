"""The system calls that Python 3.11 does not wrap: namespaces, mounts, and dying with one's parent."""

from __future__ import annotations

import ctypes
import os

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# linux/mount.h
MS_NOSUID = 1 << 1
MS_NODEV = 1 << 2
MS_NOEXEC = 1 << 3
MS_BIND = 1 << 12
MS_REC = 1 << 14
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20

_MNT_DETACH = 2  # sys/mount.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (manual, section 2). CLONE_NEWUSER: only with one thread. Raises OSError."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount, as in section 2 of the manual. Raises OSError whose `filename` is the target."""
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode())
    _checked(result, target)


def unmount(target: str) -> None:
    """Take a mount away at once, and its inside when the last user of it is gone (MNT_DETACH)."""
    _checked(_libc.umount2(target.encode(), _MNT_DETACH), target)


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread to the namespace that `descriptor` stands for; `kind` is one of CLONE_NEW*."""
    _checked(_libc.setns(descriptor, kind), "setns")


def die_with_parent(signal_number: int) -> None:
    """Get `signal_number` when the thread that forked this process ends (prctl(2), PR_SET_PDEATHSIG)."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0), "prctl")


def syncfs(descriptor: int) -> None:
    """Write all of the file system that `descriptor` is on to its disk (syncfs(2)); OSError where that failed."""
    _checked(_libc.syncfs(descriptor), "syncfs")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
