"""A keeper that says what a test has it say, behind the control that a real one has; and machines that lead to it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lbkit.base.errors import Failure
from lbkit.base.run import Completed
from lbkit.engine.scope import Scope
from lbkit.mirror import promotion, reach
from lbkit.mirror.asking import SOCKET
from lbkit.mirror.keeper.control import Control, Request
from lbkit.mirror.talk.lines import Message
from lbkit.topology.load import load_file

TOPOLOGY = """\
lbkit: 1
name: shop
networks:
  back: {cidr: 10.9.1.0/24}
machines:
  store: {networks: [back]}
  mirror: {count: 2, networks: [back]}
mirrors:
  debian:
    upstream: rsync://up.example/debian
    master: store  # who fetches
    nodes: mirror
"""

BEGAN = 1_790_000_000.0
DIGEST = "d" * 64


def run(came: str = "made", **more: Any) -> Message:
    return {
        "id": "20260921T133320Z-000001", "cause": "person", "began": BEGAN, "ended": BEGAN + 2.5, "came": came, "why": "",
        "tries": [], "added": 12, "changed": 3, "deleted": 1, "fetched": 5 << 20, "digest": DIGEST, "before": 11,
        "after": 12 if came == "made" else 0, **more,
    }  # fmt: skip


def generation(serial: int, **more: Any) -> Message:
    return {
        "serial": serial, "digest": DIGEST, "files": 1200, "size": 3 << 30, "made": BEGAN, "parent": serial - 1, "run": "r",
        **more,
    }  # fmt: skip


def node(**more: Any) -> Message:
    return {
        "serving": 12, "has": {"12": DIGEST}, "heard": 0.4, "told": "ready", "busy": None, "behind": 0, "verify": None, **more
    }  # fmt: skip


def status(**more: Any) -> Message:
    return {
        "mirror": "debian",
        "keep": 3,
        "committed": {"serial": 12, "digest": DIGEST},
        "newest": {"serial": 12, "digest": DIGEST},
        "generations": [generation(12), generation(11)],
        "running": None,
        "waiting": 0,
        "wanted": 0,
        "next": {"cause": "schedule", "due": 1_896_069_600.0},  # 2030-01-31, 06:00 UTC
        "last": run(),
        "last_made": run(),
        "held": None,
        "alarms": [],
        "troubles": {},
        "notes": [],
        "nodes": {"mirror-1": node(), "mirror-2": node()},
        **more,
    }


def planned(**more: Any) -> Message:
    def counted(files: int, size: int) -> Message:
        return {"files": files, "size": size}

    return {
        "against": 12, "added": counted(12, 5 << 20), "changed": counted(1, 3000), "deleted": counted(900, 1 << 30),
        "relinked": counted(299, 2 << 30), "before": counted(1200, 3 << 30), "after": counted(312, 2 << 30), "folders": 1,
        "objections": [], "first": {"added": ["pool/a", "pool/b"], "changed": ["dists/Release"], "deleted": []}, **more,
    }  # fmt: skip


def progress(phase: str, **more: Any) -> Message:
    return {
        "progress": {"phase": phase, "files": 0, "of_files": None, "size": 0, "of_size": None, "rate": 0, "left": None,
                     "seconds": 1.0, **more}
    }  # fmt: skip


@dataclass
class Keeper:
    """`says` are by what "do" says: the last line, or what makes it. `asked` is what came."""

    folder: Path
    says: dict[str, Message | Request] = field(default_factory=dict)
    asked: list[Message] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)  # by node: of its agent
    stores: dict[str, Message | Failure] = field(default_factory=dict)  # by node: what `show` says
    damaged: dict[str, int] = field(default_factory=dict)  # by node: what `verify` says
    away: bool = False

    def requests(self) -> dict[str, Request]:
        def answered(do: str) -> Request:
            def request(message: Message, say: Callable[[Message], None]) -> Message:
                self.asked.append(message)
                said = self.says[do]
                return said(message, say) if callable(said) else said

            return request

        words = ("status", "plan", "sync", "push", "log", "run", "verify", "rollback", "release")
        return {do: answered(do) for do in words}


@dataclass
class Machine:
    name: str
    keeper: Keeper

    def folder(self, _service: str) -> PurePosixPath:
        return PurePosixPath(self.keeper.folder)

    def connect(self, path: PurePosixPath, *, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            if self.keeper.away:
                raise ConnectionRefusedError(111, "Connection refused")
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            raise Failure(f"the socket {path} was to answer", found=str(error.strerror)) from error
        return connection

    def dial(self, _address: str, _port: int, *, timeout: float) -> socket.socket:
        if self.name not in self.keeper.verdicts:
            raise Failure("it was to answer", found="Connection refused")
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(self.keeper.verdicts[self.name].encode() + b"\n")
        return ours

    def execute(self, argv: Sequence[str], **_how: Any) -> Completed:
        if argv[0] == "cat":
            return Completed(tuple(argv), 1, "", "no such file")
        if "show" in argv:
            found = self.keeper.stores[self.name]
            if isinstance(found, Failure):
                raise found
            return Completed(tuple(argv), 0, json.dumps(found), "")
        damaged = self.keeper.damaged.get(self.name, 0)
        first = [{"path": "pool/a", "fault": "damaged"}] if damaged else []
        said = {"files": 1200, "size": 3 << 30, "damaged": damaged, "first": first}
        return Completed(tuple(argv), 0, json.dumps(said), "")


def topology(folder: Path, text: str = TOPOLOGY) -> Scope:
    """Its file is `topology.yml` there."""
    (folder / "debian.key").write_bytes(b"s" * 40)
    (folder / "debian.key").chmod(0o600)
    (folder / "topology.yml").write_text(text)
    return load_file(folder / "topology.yml")


@contextmanager
def listening(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    """The keeper of `debian` on every machine that anybody asks for. `folder` has a short path."""
    keeper = Keeper(folder)
    keeper.says = {"status": status(), "plan": planned()}

    def machine(_scope: Scope, _host: object, name: str) -> Machine:
        return Machine(name, keeper)

    monkeypatch.setattr(reach, "machine", machine)
    monkeypatch.setattr(promotion, "machine", machine)
    control = Control(folder, keeper.requests())
    with ExitStack() as stack:
        control.open()
        thread = threading.Thread(target=control.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(control.close)
        assert (folder / SOCKET).exists()
        yield keeper
