"""What the launchers ask the machine that they are on, and how they become what they launch."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.run import MissingProgram

_USERS = ("www-data", "nginx", "http", "nobody")
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # an ordinary user's PATH does without


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


def become(argv: Sequence[str]) -> NoReturn:
    """The process is that program from here on."""
    try:
        os.execv(argv[0], [*argv])  # noqa: S606 - there is no shell that it could go through
    except OSError as error:
        raise Failure(f"{argv[0]} was to be run", found=error.strerror or str(error)) from error
