"""A load balancer with much in it, in real namespaces, and the ways to change it: wholly, or just its HAProxy."""

from __future__ import annotations

import copy
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.diff import diff
from lbkit.engine.holds import Hold, Holds, read_holds, write_holds
from lbkit.engine.journal import read_journal
from lbkit.engine.scope import Scope
from lbkit.haproxy import apply as haproxy_apply
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.room import ROOM
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine
from lbkit.network.namespace import entered
from tests.haproxy.soak import apps
from tests.haproxy.soak.load import Load
from tests.haproxy.tls.authority import Authority
from tests.haproxy.world import until

MEMBER = "lb-1"
CHECK = {"interval": "100ms", "timeout": "1s", "rise": 1, "fall": 2}
HTTP = {"protocol": "http", "path": "/healthz", **CHECK}


def backend(name: str, servers: int = 4, **more: Any) -> dict[str, Any]:
    made = {
        "servers": [server(f"s{index}", apps.GOOD[name][index]) for index in range(servers)],
        "health_check": HTTP,
        "drain_timeout": "8s",
        "up_timeout": "3s",
    }
    return made | more


def server(name: str, port: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "address": apps.ADDRESS, "port": port, **more}


def topology(name: str, program: Path, certs: Path) -> dict[str, Any]:
    routes = [{"path_prefix": f"/{each}", "backend": each} for each in ("api", "kept", "plain")]
    routes.append({"host": "refused.test", "path": "/just/this", "reject": 403})
    return {
        "lbkit": 1,
        "name": name,
        "networks": {"front": {"cidr": "10.80.0.0/24"}, "back": {"cidr": "10.80.1.0/24"}},
        "machines": apps.machines(),
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "program": str(program),
                "hard_stop_after": "10s",
                "certificates": {"main": {"file": str(certs / "main.pem")}},
                "frontends": {
                    "http": {
                        "bind": 80,
                        "backend": "web",
                        "routes": routes,
                        "allow": ["10.80.0.0/24"],
                        "deny": ["192.0.2.1"],
                    },
                    "https": {"bind": {"port": 443, "tls": ["main"]}, "backend": "web"},
                    "raw": {"bind": 81, "mode": "tcp", "backend": "raw"},
                },
                "backends": {
                    "web": backend("web"),
                    "api": backend("api", balance="leastconn"),
                    "kept": backend("kept", cookie="SRV"),
                    "plain": backend("plain", balance="random", health_check=False),
                    "raw": backend("raw", balance="source", health_check={"protocol": "tcp", **CHECK}),
                },
            }
        },
    }


@dataclass
class Said:
    """What is told while a change is carried out, for the place of an apply's journal."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, change: Change, detail: str, /) -> None:
        self.lines.append(f"# {detail}")

    def step(self, change: Change, lines: Sequence[str], /) -> None:
        self.lines += lines

    def note(self, change: Change, text: str, /) -> None:
        """It stands in the detail as well."""

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(line for line in self.lines if not line.startswith("# "))


@dataclass
class Town:
    """`data` is the topology's document: change it, then `change` or `apply`. `folder` has the keys."""

    name: str
    host: Host
    folder: Path
    program: Path
    data: dict[str, Any] = field(default_factory=dict)
    authority: Authority = field(default_factory=Authority)

    def __post_init__(self) -> None:
        self.certify("main", "shop.test")
        self.data = self.data or topology(self.name, self.program, self.folder)

    def certify(self, name: str, *hosts: str) -> None:
        self.authority.issue(*hosts).write(self.folder / f"{name}.pem")

    def none_lost(self, found: Load) -> None:
        """No client met a failure. Debian's HAProxy 2.6.12 has one of its own, seen once in some hundred reloads: the
        worker that is leaving ends with a segmentation fault, and takes a connection with it.
        """
        if found.failed and len(found.failed) <= 2 and self._has_crashed():
            pytest.xfail(f"a leaving worker of HAProxy {self.version} crashed: {found.failed}")
        assert found.failed == []

    def _has_crashed(self) -> bool:
        lines = self.instance.machine.log(self.instance.service, lines=2000)
        return self.version.startswith("2.6") and any(
            "ormer worker" in line and "exited with code 139" in line for line in lines
        )

    @property
    def version(self) -> str:
        with self.instance.runtime() as runtime:
            return runtime.info().version

    @property
    def shop(self) -> dict[str, Any]:
        found: dict[str, Any] = self.data["load_balancers"]["shop"]
        return found

    @property
    def scope(self) -> Scope:
        """With the holds that are in force, as every command of lbkit's has it."""
        made = lbkit.load_data(self.data, self.folder)
        return replace(made, holds=self.holds.in_force)

    @property
    def holds(self) -> Holds:
        return read_holds(self.host.folder(self.name), self.host.clock.now())

    def hold(self, path: str) -> None:
        """As the file says it alone: the next change has it drained."""
        hold = Hold(path, "soak", "test", self.host.clock.now().isoformat())
        write_holds(self.host.folder(self.name), self.holds.with_(hold))

    def release(self, path: str) -> None:
        write_holds(self.host.folder(self.name), self.holds.without(path))

    def as_it_is(self) -> tuple[dict[str, Any], Holds]:
        """The document and the holds, for `back_to`."""
        return copy.deepcopy(self.data), self.holds

    def back_to(self, before: tuple[dict[str, Any], Holds]) -> None:
        self.data, holds = before
        write_holds(self.host.folder(self.name), holds)

    @cached_property
    def instance(self) -> Instance:
        return Instance(machine(self.scope, self.host, MEMBER), "shop", str(self.program))

    @cached_property
    def app(self) -> Machine:
        return machine(self.scope, self.host, "app-1")

    def apply(self) -> list[str]:
        """By the whole lbkit. The journal has the steps of the plan, and the plan after it is empty. What was noted."""
        journal = self.host.folder(self.name) / "journal.jsonl"
        before = len(list(read_journal(journal)))
        planned = lbkit.plan(self.scope, self.host)
        lbkit.apply(self.scope, self.host, promised=planned)
        records = list(read_journal(journal))[before:]
        for change in planned.changes:
            if change.key.kind != "haproxy":
                continue
            told = [
                line
                for record in records
                if record["event"] == "step" and record["name"] == change.key.name
                for line in record["lines"]
            ]
            assert tuple(told) == change.steps, "what the journal has is what was planned"
        assert not lbkit.plan(self.scope, self.host)
        return [
            record["executed"] for record in records if record["event"] == "done" and "executed" in record
        ]

    def pending(self) -> Change | None:
        """What the room of load balancers would do now."""
        scope = self.scope
        actual = list(ROOM.observe(scope, self.host))
        changes = diff(ROOM.desired(scope, self.host), actual, owner=scope.name, judge=ROOM)
        assert len(changes) <= 1
        return changes[0] if changes else None

    def change(self) -> tuple[Change | None, list[str]]:
        """By the room of load balancers alone, as an apply does it; with what it noted. All of the plan was done."""
        change = self.pending()
        if change is None:
            return None, []
        said = Said()
        note = haproxy_apply.carry_out(change, self.scope, self.host, said)
        assert said.steps == change.steps, "what is done is what was planned"
        left = self.pending()
        assert left is None, f"after {change.reason}: {left.reason if left else ''}"
        return change, [note]

    def change_or_mend(self, *, wholly: bool) -> list[str]:
        """As `apply` or `change`. Where that is refused, since all who would serve meanwhile are dead, do as it says."""
        try:
            return self.apply() if wholly else self.change()[1]
        except Failure as error:
            if "was to have another server up" not in str(error):
                raise
            apps.bring_up(self.shop["backends"])
            return [f"refused: {error.found}", *(self.apply() if wholly else self.change()[1])]

    def worker(self) -> int:
        with self.instance.runtime() as runtime:
            return runtime.info().pid

    def processes(self) -> list[int]:
        """Of HAProxy: the master, and each worker, also those that are leaving."""
        mark = f"LBKIT_SERVICE={self.name}/{MEMBER}/{self.instance.service}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    environment = Path("/proc", entry, "environ").read_bytes()
                    dead = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
                except OSError:
                    continue
                if mark in environment.split(b"\0") and not dead:
                    found.append(int(entry))
        return sorted(found)

    def kill(self) -> None:
        """SIGKILL to all of HAProxy's processes at once."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        until(lambda: not self.processes(), "all of HAProxy is gone")

    @contextmanager
    def started_by_itself(self) -> Iterator[None]:
        """HAProxy from what lies on disk, by its own command line, without lbkit."""
        folder = Path(str(self.instance.path("")))
        argv = self.instance.program.argv
        with entered(self.host, f"{self.name}.{MEMBER}"), (folder / "log").open("ab") as log:
            process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
        try:
            until(self.answers, "HAProxy serves")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def answers(self) -> bool:
        try:
            return bool(self.ask("show info"))
        except (OSError, Failure):
            return False

    def ask(self, *commands: str) -> str:
        """HAProxy itself, without lbkit's client."""
        with self.instance.machine.connect(self.instance.path("runtime.sock"), timeout=20) as connection:
            connection.sendall("; ".join(commands).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
