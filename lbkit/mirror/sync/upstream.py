"""Where a mirror's content comes from, as rsync is told of it. What reaches its argv is refused here or is safe there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbkit.base.errors import Mistake

_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}(?<!-)|\[[0-9A-Fa-f:.]{2,45}\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PART = re.compile(r"(?!\.{1,2}\Z)[^\x00-\x1f\x7f/\\*?\[\]]+")

SSH = (
    "ssh",
    *("-o", "BatchMode=yes"),
    *("-o", "StrictHostKeyChecking=yes"),
    *("-o", "ClearAllForwardings=yes"),
    *("-o", "ConnectTimeout=30"),
    *("-o", "ServerAliveInterval=15"),
)
"""Never asks anybody; a host is known or refused."""


@dataclass(frozen=True, slots=True)
class RsyncDaemon:
    """rsync://USER@HOST:PORT/MODULE/PATH. `password_file` is on the machine, for its owner alone."""

    host: str
    module: str
    path: str = ""
    port: int = 873
    user: str = ""
    password_file: str = ""

    @property
    def source(self) -> str:
        user = f"{self.user}@" if self.user else ""
        below = f"{self.path}/" if self.path else ""
        return f"rsync://{user}{self.host}:{self.port}/{self.module}/{below}"

    @property
    def options(self) -> Sequence[str]:
        # else each small word of the protocol waits until the one before was acknowledged: 40 ms, several times in a transfer
        return [
            "--sockopts=TCP_NODELAY",
            *([f"--password-file={self.password_file}"] if self.password_file else []),
        ]


@dataclass(frozen=True, slots=True)
class RsyncSsh:
    """ssh://USER@HOST:PORT/PATH. `key_file` and `known_hosts` are on the machine."""

    host: str
    path: str
    port: int = 22
    user: str = ""
    key_file: str = ""
    known_hosts: str = ""

    @property
    def source(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host}:/{self.path}/"

    @property
    def options(self) -> Sequence[str]:
        words = [*SSH, "-p", str(self.port)]
        if self.key_file:
            words += ["-i", self.key_file, "-o", "IdentitiesOnly=yes"]
        if self.known_hosts:
            words += ["-o", f"UserKnownHostsFile={self.known_hosts}"]
        return [f"--rsh={' '.join(words)}", "--secluded-args"]  # no shell there reads a path


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the machine itself."""

    path: str

    @property
    def source(self) -> str:
        return f"/{self.path}/"

    @property
    def options(self) -> Sequence[str]:
        return []


Rsynced = RsyncDaemon | RsyncSsh | Folder

_KINDS: Mapping[str, type[Rsynced]] = {"rsync": RsyncDaemon, "ssh": RsyncSsh, "folder": Folder}


def upstream_of(data: Mapping[str, Any]) -> Rsynced:
    """Of plain data, as the keeper's configuration has it. Mistake where a part is none that rsync may be given."""
    fields = dict(data)
    kind = _KINDS.get(str(fields.pop("kind", "")))
    if kind is None:
        raise Mistake("an upstream was to be rsync, ssh or a folder", found=repr(data.get("kind")))
    made = kind(**fields)
    _check(made)
    return made


def _check(made: Rsynced) -> None:
    _demand(all(_PART.fullmatch(part) for part in made.path.split("/")) or not made.path, "a path", made.path)
    if isinstance(made, Folder):
        return
    _demand(bool(_HOST.fullmatch(made.host)), "a host's name or address", made.host)
    _demand(not made.user or bool(_USER.fullmatch(made.user)), "a user's name", made.user)
    _demand(0 < made.port < 1 << 16, "a port", str(made.port))
    if isinstance(made, RsyncDaemon):
        _demand(bool(_MODULE.fullmatch(made.module)), "a module's name", made.module)
        files = [made.password_file]
    else:
        _demand(bool(made.path), "a path", made.path)
        files = [made.key_file, made.known_hosts]
    for file in files:  # --rsh is split at spaces
        _demand(not file or bool(re.fullmatch(r"/[A-Za-z0-9._/-]+", file)), "the path of a file", file)


def _demand(good: bool, what: str, found: str) -> None:  # noqa: FBT001
    if not good:
        raise Mistake(f"of an upstream {what} was to be given", found=repr(found)[:300])
