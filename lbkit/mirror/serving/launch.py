"""What the launchers ask the machine that they are on, and how they become what they launch."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.base.host import Host
from lbkit.base.run import MissingProgram

_USERS = ("www-data", "nginx", "http", "nobody")
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # an ordinary user's PATH does without
_NOBODY = 65534  # what the kernel shows of ids that it does not map (user_namespaces(7))
_FIRST_PORT, _PRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start"), 1024


@dataclass(frozen=True, slots=True)
class Account:
    user: str
    group: str
    uid: int
    gid: int


def account(names: Sequence[str] = _USERS) -> Account | None:
    """The first of those users that is here; None where only our own is, as ids cannot be switched."""
    if not Host().can_switch_user:
        return None
    for name in names:
        try:
            found = pwd.getpwnam(name)
            return Account(name, grp.getgrgid(found.pw_gid).gr_name, found.pw_uid, found.pw_gid)
        except KeyError:
            continue
    raise Failure(
        "a daemon was to run as another user than root",
        found=f"there is none of {', '.join(names)}",
        remedy=f"`useradd --system {names[-1]}`",
    )


def program(name: str, package: str) -> str:
    """Its path."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM))
    if (found := shutil.which(name, path=path)) is None:
        raise MissingProgram(name, remedy=f"`apt install {package}`, or your distribution's package of it")
    return found


def demand_free(address: str, port: int) -> None:
    """Nothing listens there meanwhile: a client would be heard by nobody."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.family == socket.AF_INET6:  # as nginx does: IPv4 has its own
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise Failure(
                f"{address} port {port} was to be listened on",
                found=error.strerror or str(error),
                remedy="another program has it, or the machine has no such address",
            ) from error


def demand_passable(path: Path, who: Account) -> None:
    """Raises Failure where a folder above `path` that stands is closed to that user."""
    for folder in reversed((path, *path.parents)):
        try:
            status = folder.stat()
        except FileNotFoundError:
            return
        needed = stat.S_IXOTH
        if status.st_uid == who.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == who.gid:
            needed = stat.S_IXGRP
        if not status.st_mode & needed:
            raise Failure(
                f"{path} was to be read by {who.user}",
                found=f"{folder} lets nobody through, mode {stat.S_IMODE(status.st_mode):03o}",
                remedy="give the mirror another `path`, or open that folder (chmod o+x)",
            )


def allow_ports(ports: Iterable[int]) -> None:
    """Where only our own id is: of the network namespace, which is ours as well. Who is nobody in it may not bind them else."""
    first = min(ports, default=_PRIVILEGED)
    try:
        if _one_id() and int(_FIRST_PORT.read_text()) > first:
            _FIRST_PORT.write_text(str(first))
    except OSError as error:
        raise FileFailure("written", _FIRST_PORT, error) from error


def leave_root(ports: Iterable[int]) -> None:
    """Where only root's id is, which an ordinary user has made so, become nobody in a user namespace that has no other.

    A daemon that is root sets its groups, which is forbidden there (user_namespaces(7), setgroups): rsync's then ends each
    connection, and nginx tells of it.
    """
    allow_ports(ports)
    if not _one_id():
        return
    from lbkit.base.syscalls import CLONE_NEWUSER, unshare  # noqa: PLC0415 - ctypes

    try:
        unshare(CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{_NOBODY} 0 1")
        Path("/proc/self/gid_map").write_text(f"{_NOBODY} 0 1")
    except OSError as error:
        raise Failure(
            "a daemon was to run as nobody, in a user namespace of its own",
            found=error.strerror or str(error),
            remedy="`sysctl user.max_user_namespaces` says how many may be",
        ) from error


def _one_id() -> bool:
    return os.geteuid() == 0 and not Host().can_switch_user


def become(argv: Sequence[str]) -> NoReturn:
    """The process is that program from here on."""
    try:
        os.execv(argv[0], [*argv])  # noqa: S606 - there is no shell that it could go through
    except OSError as error:
        raise Failure(f"{argv[0]} was to be run", found=error.strerror or str(error)) from error
