"""rsync's daemon before a store: what serves for everybody, and all generations for the nodes, who show a password (rsyncd.conf(5))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbkit.base.errors import Mistake

CONFIG = "rsyncd.conf"


@dataclass(frozen=True, slots=True)
class Module:
    """`public` is the name of the module that everybody may read, "" where there is none; `nodes` may read `inner`, which is not listed.

    A connection to the public one reads the generation that served when it began, to its end. `secrets` is the path of the
    file with the passwords, for root or the daemon's user alone.
    """

    public: str
    inner: str
    root: str
    nodes: Sequence[str]
    secrets: str
    connections: int = 0  # at most, of everybody's; 0: no limit


def config(
    modules: Sequence[Module], *, address: str, port: int, locks: str, ids: tuple[int, int] | None
) -> str:
    """The whole of rsyncd.conf. `address` "": all of the machine's; `locks` is a folder for the locks that count connections.

    `ids` are the user and the group that it reads with, in a tree that it cannot leave: for root alone. None: it stays who it is.
    """
    lines = [
        f"port = {port}",
        *([f"address = {_line(address)}"] if address else []),
        "reverse lookup = no",
        "socket options = TCP_NODELAY",  # as sync/upstream.py has it at the other end
        "read only = yes",
        f"use chroot = {'no' if ids is None else 'yes'}",
        *([] if ids is None else [f"uid = {ids[0]}", f"gid = {ids[1]}"]),
        "munge symlinks = no",
        "numeric ids = yes",
        "timeout = 600",
        "refuse options = delete remove-source-files log-file* temp-dir",
    ]
    for each in modules:
        limit = []
        if each.connections:  # who shares a lock file shares the limit
            lock = f"lock file = {_line(locks)}/{_name(each.inner)}.lock"
            limit = [f"max connections = {each.connections}", lock]
        if each.public:
            lines += [f"[{_name(each.public)}]", f"path = {_line(each.root)}/current/0", "list = yes", *limit]
        lines += [
            f"[{_name(each.inner)}]",
            f"path = {_line(each.root)}",
            "list = no",
            "exclude = /work /left /partial /old-* /runs /wanted /committed",
            f"auth users = {' '.join(_name(node) for node in each.nodes)}",
            f"secrets file = {_line(each.secrets)}",
            "strict modes = yes",
        ]
    return "".join(f"{line}\n" for line in lines)


def secrets(passwords: Mapping[str, str]) -> str:
    """The secrets file, for its owner alone: a line for each node."""
    return "".join(f"{_name(name)}:{_line(word)}\n" for name, word in sorted(passwords.items()))


def _name(name: str) -> str:
    if not name or not all(
        character.isascii() and (character.isalnum() or character in "._-") for character in name
    ):
        raise Mistake("a module or a node was to have a plain name", found=repr(name)[:300])
    return name


def _line(text: str) -> str:
    if not text or any(character in text for character in "\r\n\0\\%"):
        raise Mistake("a word of rsyncd.conf was to be plain", found=repr(text)[:300])
    return text
