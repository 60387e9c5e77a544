"""Settings of the kernel, below /proc/sys/net: those of the namespace that the calling thread is in."""

from __future__ import annotations

import os

from lbkit.base.errors import Bug, Failure

_ROOT = "/proc/sys/"


class SysctlFailure(Failure):
    def __init__(self, name: str, value: str, error: OSError) -> None:
        self.errno = error.errno
        super().__init__(f"sysctl {name} was to be {value}", found=error.strerror or str(error))


def get(name: str) -> str | None:
    """The value, fields parted by single spaces; None where this kernel has no such setting."""
    try:
        with open(_path(name), encoding="ascii", errors="replace") as stream:
            return " ".join(stream.read().split())
    except OSError:
        return None


def put(name: str, value: str) -> None:
    path = _path(name)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SysctlFailure(name, value, error) from error


def _path(name: str) -> str:
    """Names as sysctl(8) reads them: `net.ipv4.ip_forward`, or `net/ipv4/conf/web.front/forwarding`."""
    path = name if "/" in name else name.replace(".", "/")
    if not path.startswith("net/") or ".." in path.split("/"):
        raise Bug(f"a sysctl below net was to be named, not {name!r}")
    return _ROOT + path
