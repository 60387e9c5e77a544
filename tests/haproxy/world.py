"""A small topology in real namespaces: two HAProxys, three web servers, a virtual address; and clients of it."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lbkit
from lbkit.base.host import Host
from lbkit.engine.applying import Result
from lbkit.engine.plan import Plan
from lbkit.engine.scope import Scope
from lbkit.engine.view import Status
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.resolved import LoadBalancers, vip_program_name
from lbkit.haproxy.vip.observe import holds
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine
from tests.machine.world import kill as end

VIP = "10.80.0.10"
APP = Path(__file__).with_name("app.py").read_text()


def topology(name: str) -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": name,
        "networks": {"front": {"cidr": "10.80.0.0/24"}, "back": {"cidr": "10.80.1.0/24"}},
        "machines": {
            "lb": {"count": 2, "networks": ["front", "back"]},
            "web": {
                "count": 3,
                "networks": ["back"],
                "run": [
                    {
                        "name": "app",
                        "command": ["/usr/bin/python3", "-I", "app.py", "8080"],
                        "files": {"app.py": {"content": APP}},
                        "ready": {"port": 8080},
                    }
                ],
            },
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "vip": {"network": "front", "address": VIP, "interval": "100ms"},
                "frontends": {"http": {"bind": 80, "backend": "web"}},
                "backends": {
                    "web": {
                        "servers": [{"machines": "web", "port": 8080}],
                        "health_check": {
                            "protocol": "http",
                            "path": "/healthz",
                            "interval": "200ms",
                            "timeout": "2s",
                            "rise": 1,
                            "fall": 2,
                        },
                    }
                },
            }
        },
    }


@dataclass
class World:
    """One topology on a host of its own. `data` is its document: change it, then `apply`."""

    name: str
    host: Host
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = self.data or topology(self.name)

    @property
    def shop(self) -> dict[str, Any]:
        found: dict[str, Any] = self.data["load_balancers"]["shop"]
        return found

    @property
    def scope(self) -> Scope:
        return lbkit.load_data(self.data, Path("/nowhere"))

    def plan(self) -> Plan:
        return lbkit.plan(self.scope, self.host)

    def apply(self) -> Result:
        return lbkit.apply(self.scope, self.host)

    def destroy(self) -> Result:
        return lbkit.destroy(self.scope, self.host)

    def status(self) -> dict[str, Status]:
        return {str(row.key): row for row in lbkit.status(self.scope, self.host)}

    def machine(self, member: str) -> Machine:
        return machine(self.scope, self.host, member)

    def haproxy(self, member: str) -> Instance:
        return Instance(self.machine(member), "shop")

    def holders(self) -> list[str]:
        vip = self.scope.of("haproxy", LoadBalancers).by_name["shop"].vip
        assert vip is not None
        return [name for name in ("lb-1", "lb-2") if holds(self.machine(name), vip.network, vip.addresses)]

    def pid(self, member: str, program: str) -> int:
        return self.machine(member).running()[program].pid

    def kill(self, member: str, program: str) -> None:
        """SIGKILL to a program's own process alone, as a crash would."""
        end(self.pid(member, program))

    def kill_haproxy(self, member: str) -> None:
        self.kill(member, "haproxy-shop")

    def kill_keepalived(self, member: str) -> None:
        self.kill(member, vip_program_name("shop"))


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def get(address: str = VIP, port: int = 80, path: str = "/", *, timeout: float = 5.0) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        assert response.status == 200, (response.status, body)
        return body
    finally:
        connection.close()


@dataclass
class Clients:
    """What steady clients met. `served`: by which machine, how often."""

    served: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.served.total() + len(self.failed)


@contextmanager
def steady_clients(address: str = VIP, *, fresh: int = 2, kept: int = 2) -> Iterator[Clients]:
    """Clients that ask one request after the other: some by a new connection each, some by one that they keep.

    A kept connection that the server closes between two requests is opened anew, as any client does.
    """
    clients = Clients()
    over = threading.Event()

    def one(*, keep: bool) -> None:
        connection: http.client.HTTPConnection | None = None
        while not over.is_set():
            if connection is None:
                connection = http.client.HTTPConnection(address, 80, timeout=10)
            try:
                connection.request("GET", "/", headers={} if keep else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read().decode()
                if response.status == 200:
                    clients.served[body.split("/")[1]] += 1
                else:
                    clients.failed.append(f"{response.status} {body[:80]!r}")
                closes = response.will_close
            except (OSError, http.client.HTTPException) as error:
                clients.failed.append(repr(error))
                closes = True
            if closes or not keep:
                connection.close()
                connection = None
            over.wait(0.002)
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=one, kwargs={"keep": index < kept}) for index in range(fresh + kept)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        over.set()
        for thread in threads:
            thread.join()


def left_behind(world: World) -> list[str]:
    """What a destroy must not leave."""
    folder = world.host.folder(world.name)
    found = [str(path) for path in folder.rglob("*")]
    with suppress(FileNotFoundError):
        found += [name for name in os.listdir(world.host.netns_dir) if name.startswith(f"{world.name}.")]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                if f"LBKIT_SERVICE={world.name}/".encode() in Path("/proc", entry, "environ").read_bytes():
                    found.append(f"process {entry}")
    return found
