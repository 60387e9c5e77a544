"""The program that looks at a machine: a question on stdin, an answer on stdout, both JSON (mirror/machines.py has them)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.base.size import bytes_of
from lbkit.mirror.fit.disk import Content, Disk, disk
from lbkit.mirror.fit.ports import ports
from lbkit.mirror.fit.programs import RSYNC_OF_SSH, program
from lbkit.mirror.fit.source import Asked, kind, source
from lbkit.mirror.fit.told import Fit, objections, refused
from lbkit.mirror.ports import RSYNC_PORT, ports_of
from lbkit.mirror.serving.launch import account


def main() -> int:
    """All that is wrong is said at once, as `msg`; a Mistake in the question is one, too."""
    try:
        found = [*look(json.load(sys.stdin))]
        answer: dict[str, Any] = {"checks": [asdict(each) for each in found]}
        if wrong := objections(found):
            answer["msg"] = f"this machine cannot be what it is to be for mirrors:\n{wrong}"
    except LbkitError as error:
        answer = {"checks": [], "msg": str(error), "error": error.as_data()}
    print(json.dumps(answer))
    return 0


def look(question: Mapping[str, Any]) -> Iterator[Fit]:
    """`question` is as the options of the module mirror_machine_check are, all of them there; programs are looked for on PATH.
    Mistake where one of them is none.
    """
    node = question["role"] == "node"
    url = question["upstream"] or ""
    wanted = _disk(question)
    how = kind(url) if url else ""
    yield program("rsync", RSYNC_OF_SSH if how == "ssh" else ())
    yield program("setpriv")
    names = {"https": "curl", "ssh": "ssh"}
    if how in names:
        yield program(names[how])
    web = node and bool(question["http_port"])
    if web:
        yield program("nginx")
    readers = None
    for what, users in (("user of rsync", ("nobody",)), ("user of nginx", ())):
        if users or web:
            try:
                readers = account(users) if users else account()
                yield Fit(what, True, readers.user if readers else "lbkit's own, as there is no other")
            except Failure as error:
                yield refused(what, error)
    yield from disk(wanted, readers if web else None)
    yield from ports(_ports(question, node=node))
    if url and question["ask_upstream"]:
        yield source(
            Asked(
                url, *(question[each] or "" for each in ("password", "key", "known_hosts", "digests", "ca"))
            )
        )


def _disk(question: Mapping[str, Any]) -> Disk:
    path = Path(question["path"])
    if not path.is_absolute() or ".." in path.parts:
        raise Mistake("the folder was to be an absolute path without `..`", found=str(path))
    content = Content(
        _size(question, "size"),
        question["inodes"],
        _size(question, "generation_size"),
        question["generation_inodes"],
        question["keep"],
    )
    return Disk(path, content, _size(question, "min_free"), question["min_inodes"], question["own_disk"])


def _size(question: Mapping[str, Any], name: str) -> int:
    text = question[name] or "0"
    try:
        return 0 if text == "0" else bytes_of(text)
    except ValueError as error:
        raise Mistake(f"{name} was to be {error}, or 0", found=text) from error


def _ports(question: Mapping[str, Any], *, node: bool) -> Iterator[int]:
    """Of one role: what the other one has there is not this one's."""
    yield RSYNC_PORT
    if node and question["http_port"]:
        yield question["http_port"]
    for name in question["mirrors"]:
        own = ports_of(name)
        yield from (own.agent, own.check) if node else (own.push,)
    yield from question["ports"]
