"""Where a mirror's content comes from, as rsync and curl are told of it. What reaches them is refused here or is safe there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from lbkit.base.errors import Mistake

_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}(?<!-)|\[[0-9A-Fa-f:.]{2,45}\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PART = re.compile(r"(?!\.{1,2}\Z)[^\x00-\x1f\x7f/\\*?\[\]]+")
_NAME = re.compile(r"(?!\.{1,2}\Z)[^\x00-\x1f\x7f/]+")
_FILE = re.compile(r"/[A-Za-z0-9._/-]+")
_URL = re.compile(
    r"https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()+,;=:@/-]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)
_WRITTEN = re.compile(
    r"(rsync|ssh|https?)://(?:([^@/\[\]]*)@)?(\[[^\]/]*\]|[^\[\]:/@]+)(?::([0-9]{1,5}))?(/.*)?", re.ASCII
)
_LONGEST_URL = 2000
_Kind = TypeVar("_Kind")

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


@dataclass(frozen=True, slots=True)
class Web:
    """https://HOST/PATH/, or http. `digests` is the list of its files: a path below the url, which is then one of the files, or
    an absolute one of a file on the machine. Its names are below the folder that it lies in, or below the url.

    `ca_file` and `password_file` are on the machine, the latter for its owner alone.
    """

    url: str
    digests: str
    ca_file: str = ""
    user: str = ""
    password_file: str = ""

    @property
    def source(self) -> str:
        return self.url if self.url.endswith("/") else f"{self.url}/"

    @property
    def protocols(self) -> str:
        """Those that may be asked, after a redirect too: never a worse one than was declared."""
        return "https" if self.url.startswith("https:") else "http,https"


Rsynced = RsyncDaemon | RsyncSsh | Folder

_KINDS: Mapping[str, Callable[..., Rsynced]] = {"rsync": RsyncDaemon, "ssh": RsyncSsh, "folder": Folder}


def upstream_of(data: Mapping[str, Any]) -> Rsynced:
    """Of plain data, as the keeper's configuration has it. Mistake where a part is none that rsync may be given."""
    fields = dict(data)
    kind = _KINDS.get(str(fields.pop("kind", "")))
    if kind is None:
        raise Mistake("an upstream was to be rsync, ssh, https or a folder", found=repr(data.get("kind")))
    made = _made(kind, fields)
    _check(made)
    return made


def web_of(data: Mapping[str, Any]) -> Web:
    """The same, of kind `https`: Mistake where a part is none that curl may be given."""
    made = _made(Web, {name: value for name, value in data.items() if name != "kind"})
    match = _URL.fullmatch(made.url)
    _demand(match is not None and len(made.url) <= _LONGEST_URL, "an address of http or https", made.url)
    assert match is not None  # noqa: S101 - demanded
    _demand(bool(_HOST.fullmatch(match["host"])), "a host's name or address", match["host"])
    _demand(match["port"] is None or 0 < int(match["port"]) < 1 << 16, "a port", str(match["port"]))
    parts = unquote_to_bytes(match["path"] or "").strip(b"/").split(b"/")
    _demand(not {b".", b".."} & set(parts), "a path without `..`", made.url)
    _demand(not re.search(rb"[\x00-\x1f\x7f]", b"/".join(parts)), "a plain path", made.url)
    if made.digests.startswith("/"):
        _demand(bool(re.fullmatch(r"/[^\x00-\x1f\x7f]+", made.digests)), "the path of a file", made.digests)
    else:
        _demand(all(_NAME.fullmatch(part) for part in made.digests.split("/")), "a list", made.digests)
    _demand(not made.user or bool(_USER.fullmatch(made.user)), "a user's name", made.user)
    _demand(bool(made.user) == bool(made.password_file), "a user with a password's file", made.user)
    _demand(not made.user or made.url.startswith("https:"), "https, for a password", made.url)
    for file in (made.ca_file, made.password_file):
        _demand(not file or bool(_FILE.fullmatch(file)), "the path of a file", file)
    return made


def parse(url: str) -> dict[str, Any]:
    """What a person writes, as data for `upstream_of` and, of an address of the web, for `web_of`, which wants `digests` besides.

    rsync://USER@HOST:PORT/MODULE/PATH, ssh://USER@HOST:PORT/PATH, https://HOST:PORT/PATH/, http://..., or /PATH of the machine's own
    disk. Nothing in it is decoded. Mistake where it is none of these, or says what would be an option, a climb, or a password.
    """
    if url.startswith("/"):
        path = url.strip("/")
        _demand(bool(path), "a folder below /", url)
        data: dict[str, Any] = {"kind": "folder", "path": path}
        upstream_of(data)
        return data
    match = _WRITTEN.fullmatch(url)
    if match is None:
        raise Mistake(
            "an upstream was to be written as rsync://HOST/MODULE/, ssh://USER@HOST/PATH, https://HOST/PATH/ or /PATH",
            found=repr(url)[:300],
            remedy="`HOST::MODULE` is rsync://HOST/MODULE, `USER@HOST:/PATH` is ssh://USER@HOST/PATH",
        )
    scheme, user, host, port, path = match.groups("")
    if ":" in user:
        raise Mistake(
            "an upstream was to have its password in a file of its own",
            found="a password in its address",
            remedy="write the user alone there, and `password: {file: ...}` beside it",
        )
    _demand(match[2] is None or bool(_USER.fullmatch(user)), "a user's name", user)
    path = path.rstrip("/")
    if scheme in {"http", "https"}:
        data = {"kind": "https", "url": f"{scheme}://{host}{f':{port}' if port else ''}{path}/"}
        web_of({**data, "digests": "any"})
    elif scheme == "rsync":
        module, _, below = path.removeprefix("/").partition("/")
        data = {"kind": "rsync", "host": host, "module": module, "path": below}
    else:
        data = {"kind": "ssh", "host": host, "path": path.removeprefix("/")}
    if user:
        data["user"] = user
    if scheme in {"rsync", "ssh"}:
        if port:
            data["port"] = int(port)
        upstream_of(data)
    return data


def _made(kind: Callable[..., _Kind], fields: Mapping[str, Any]) -> _Kind:
    try:
        return kind(**fields)
    except TypeError as error:
        raise Mistake("an upstream was to have the parts of its kind", found=str(error)) from error


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
        _demand(not file or bool(_FILE.fullmatch(file)), "the path of a file", file)


def _demand(good: bool, what: str, found: str) -> None:  # noqa: FBT001
    if not good:
        raise Mistake(f"of an upstream {what} was to be given", found=repr(found)[:300])
