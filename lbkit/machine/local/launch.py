"""Start a program as a service: lbkit's side of shim.py."""

from __future__ import annotations

import marshal
import os
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.errors import Bug, Failure
from lbkit.machine.contract import Program, Running
from lbkit.machine.local.network import Network
from lbkit.machine.local.place import Place
from lbkit.machine.local.proc import SERVICE
from lbkit.machine.local.record import facts, forget

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""What every program gets: the same whoever calls lbkit, and from where."""

Ids = tuple[int, int, list[int]]
"""User, group and supplementary groups."""

_SHIM = "import marshal, sys; exec(marshal.load(sys.stdin.buffer))"  # then what it reads, and then `given`
_TIMEOUT = 30.0  # seconds until a process that does not come to its program is given up
_OK = re.compile(rb"^ok (\d+) (\d+)$", re.MULTILINE)
_NO = re.compile(rb"^no (\w+) (\d+)$", re.MULTILINE)

_WANTED = {
    "session": "it was to get a session of its own",
    "folder": "it was to start in its folder",
    "log": "its log was to be opened",
    "record": "its record was to be written",
    "user": "it was to switch to its user",
    "program": "its program was to be executed",
}
_REMEDY = {
    "log": "`log` in the service's folder must be a plain file; remove what else it is",
    "record": "free space on that file system, then apply again",
    "user": "run as root, or leave `user` out",
    "program": "install the program, or write its whole path; PATH is " + ENVIRONMENT["PATH"],
}


class StartFailed(Failure):
    """A program could not be started; `found` has the operating system's words."""


def launch(place: Place, program: Program, network: Network, clock: Clock, ids: Ids | None) -> Running:
    """Start it in the network; returns once it is executing. Whatever ran under this name is stopped already."""
    environment = ENVIRONMENT | _of_user(program.user, ids) | dict(program.environment)
    given = {
        "argv": list(program.argv),
        "environment": environment | {SERVICE: place.mark},
        "folder": str(place.folder),
        "log": str(place.log),
        "record": str(place.record),
        "facts": facts(program, clock),
        "ids": ids,
    }
    with network.entered():
        # the mark is on the shim from its first moment, so that it too can be found
        shim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SHIM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={SERVICE: place.mark},
            cwd="/",
        )
    with shim:
        try:
            _, report = shim.communicate(_shim() + marshal.dumps(given), timeout=_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            shim.kill()
            raise StartFailed(
                "its program was to be executed",
                found=f"nothing happened for {_TIMEOUT:g} s",
                where=place.where,
                remedy="look at the load of the host, then apply again",
            ) from error
    if (failed := _NO.search(report)) is not None:
        stage, words = failed[1].decode(), os.strerror(int(failed[2]))
        forget(place)
        found = f"{words}: {program.argv[0]}" if stage == "program" else words
        raise StartFailed(_WANTED[stage], found=found, where=place.where, remedy=_REMEDY.get(stage, ""))
    if (started := _OK.search(report)) is None:
        raise Bug(
            f"{place.where}: the program was to be executed",
            found=report.decode(errors="replace")[-1500:] or "no word from the process that was to do it",
        )
    return Running(program.name, int(started[1]), int(started[2]), program.digest, program.kind)


@cache
def _shim() -> bytes:
    """shim.py as code, so that it is one wherever lbkit lies: in a guest, in an archive."""
    name = "lbkit.machine.local.shim"
    found = find_spec(name)
    loader: Any = found.loader if found else None  # of files and of archives: both have `get_code`
    code = loader.get_code(name)
    return marshal.dumps(code)


def _of_user(user: str | None, ids: Ids | None) -> dict[str, str]:
    if user is None or ids is None:
        return {}
    import pwd  # noqa: PLC0415 - only where a user is switched

    return {"USER": user, "LOGNAME": user, "HOME": pwd.getpwuid(ids[0]).pw_dir}
