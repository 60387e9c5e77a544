"""Changes by chance to a document, each of which HAProxy can take up while it runs; never one that leaves a backend
without a server that can serve.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.haproxy.soak import apps
from tests.haproxy.soak.town import Town, server

CHECKED = (
    "web",
    "api",
    "raw",
)  # their servers can be dead; those of `kept` have cookies, which 2.6 takes at a reload
Server = dict[str, Any]


@dataclass
class Changes:
    town: Town
    chance: random.Random
    dead: float = 0.08  # of the places that are drawn
    upside_down: float = 0.08
    backend: str | None = None

    def one(self) -> str:
        """Make one change in the town's document; what it is. Now and then it turns one backend upside down at once."""
        while True:
            before = self.town.as_it_is()
            if self.chance.random() < self.upside_down:
                self.backend = self.chance.choice(apps.BACKENDS)
                acts = self.chance.choices(_OF_SERVERS, k=self.chance.randint(3, 8))
            else:
                self.backend = None
                acts = [self.chance.choice(_ACTS)]
            said = ", ".join(filter(None, [act(self) for act in acts]))
            if said and self._sound():
                return said
            self.town.back_to(before)

    def _sound(self) -> bool:
        held = self.town.holds.in_force
        return all(
            any(can_serve(each, f"shop/{name}/{each['name']}" in held) for each in backend["servers"])
            for name, backend in self.town.shop["backends"].items()
        )

    def servers(self, *names: str) -> tuple[str, list[Server]]:
        name = self.backend or self.chance.choice(names or tuple(apps.BACKENDS))
        return name, self.town.shop["backends"][name]["servers"]

    def port(self, name: str) -> int | None:
        """One that no server of the backend has: a good one, or (where somebody looks) a dead one."""
        taken = {each["port"] for each in self.town.shop["backends"][name]["servers"]}
        ports = [port for port in apps.GOOD[name] if port not in taken]
        if name in CHECKED and self.chance.random() < self.dead:
            dead = apps.CLOSED if name == "raw" else [*apps.SICK, *apps.CLOSED, *apps.SILENT]
            ports = [port for port in dead if port not in taken]
        return self.chance.choice(ports) if ports else None

    def add(self) -> str:
        name, servers = self.servers("web", "api", "plain", "raw")
        if name == "kept":
            return ""
        port = self.port(name)
        names = [f"s{index}" for index in range(12) if f"s{index}" not in {each["name"] for each in servers}]
        if port is None or not names:
            return ""
        new = server(self.chance.choice(names), port, weight=self.chance.randint(1, 20))
        new["state"] = self.chance.choice(["ready"] * 8 + ["drain", "maintenance"])
        servers.insert(self.chance.randint(0, len(servers)), new)
        return f"add {name}/{new['name']} at {port}, {new['state']}"

    def remove(self) -> str:
        name, servers = self.servers("web", "api", "plain", "raw")
        if not servers or name == "kept":
            return ""
        gone = servers.pop(self.chance.randrange(len(servers)))
        self.town.release(f"shop/{name}/{gone['name']}")
        return f"remove {name}/{gone['name']}"

    def readdress(self) -> str:
        name, servers = self.servers()
        if not servers:
            return ""
        each = self.chance.choice(servers)
        port = self.port(name)
        if port is None:
            return ""
        before, each["port"] = each["port"], port
        return f"move {name}/{each['name']} from {before} to {port}"

    def weigh(self) -> str:
        name, servers = self.servers()
        if not servers:
            return ""
        each = self.chance.choice(servers)
        each["weight"] = self.chance.choice([0, 1, 2, 5, 10, 100, 256])
        return f"weight {name}/{each['name']} {each['weight']}"

    def limit(self) -> str:
        name, servers = self.servers()
        if not servers:
            return ""
        each = self.chance.choice(servers)
        each["maxconn"] = self.chance.choice([None, 20, 50, 100])
        return f"maxconn {name}/{each['name']} {each['maxconn']}"

    def state(self) -> str:
        name, servers = self.servers()
        if not servers:
            return ""
        each = self.chance.choice(servers)
        each["state"] = self.chance.choice(["ready", "ready", "drain", "maintenance"])
        return f"state {name}/{each['name']} {each['state']}"

    def hold(self) -> str:
        name, servers = self.servers()
        if not servers:
            return ""
        path = f"shop/{name}/{self.chance.choice(servers)['name']}"
        if path in self.town.holds.in_force:
            self.town.release(path)
            return f"release {path}"
        self.town.hold(path)
        return f"hold {path}"

    def certificate(self) -> str:
        certificates = self.town.shop["certificates"]
        used = self.town.shop["frontends"]["https"]["bind"]["tls"]
        act, name = self.chance.choice(["renew", "add", "remove"]), self.chance.choice("abcd")
        if act == "renew":
            name = self.chance.choice(used)
            self.town.certify(name, "shop.test" if name == "main" else f"{name}.test")
        elif act == "add" and name not in used:
            self.town.certify(name, f"{name}.test")
            certificates[name] = {"file": str(self.town.folder / f"{name}.pem")}
            used.append(name)
        elif act == "remove" and name in used:
            used.remove(name)
            del certificates[name]
        else:
            return ""
        return f"{act} certificate {name}"

    def route(self) -> str:
        routes = self.town.shop["frontends"]["http"]["routes"]
        where = f"/r{self.chance.randrange(6)}"
        old = next(
            (route for route in routes if route.get("path_prefix") == where and "host" not in route), None
        )
        if old is not None and self.chance.random() < 0.5:
            routes.remove(old)
            return f"no route {where}"
        if old is not None:
            routes.remove(old)
        new: dict[str, Any] = {
            "path_prefix": where,
            "backend": self.chance.choice(["web", "api", "kept", "plain"]),
        }
        routes.insert(self.chance.randint(0, len(routes)), new)
        return f"route {where} to {new['backend']}"

    def other_host(self) -> str:
        """What no load asks for: refusals and redirects."""
        routes = self.town.shop["frontends"]["http"]["routes"]
        host = f"h{self.chance.randrange(4)}.test"
        kept = [route for route in routes if route.get("host") != host]
        action = self.chance.choice(
            [{"reject": 410}, {"redirect": {"to": "/else", "code": 308}}, {"backend": "api"}]
        )
        which = self.chance.choice(["path", "path_prefix"])
        routes[:] = kept if len(kept) < len(routes) else [*routes, {"host": host, which: "/x", **action}]
        return f"routes of {host}"

    def source(self) -> str:
        which = self.chance.choice(["allow", "deny"])
        networks = self.town.shop["frontends"]["http"][which]
        network = f"198.51.100.{self.chance.randrange(16)}"
        if network in networks:
            networks.remove(network)
        else:
            networks.insert(self.chance.randint(0, len(networks)), network)
        return f"{which} {network}"


_OF_SERVERS: list[Callable[[Changes], str]] = [
    Changes.add, Changes.remove, Changes.readdress, Changes.weigh, Changes.state, Changes.hold,
]  # fmt: skip
_ACTS: list[Callable[[Changes], str]] = [
    Changes.add, Changes.add, Changes.remove, Changes.readdress, Changes.weigh, Changes.limit, Changes.state,
    Changes.hold, Changes.certificate, Changes.route, Changes.other_host, Changes.source,
]  # fmt: skip


def can_serve(each: Server, held: bool) -> bool:  # noqa: FBT001
    """By the document: it is there, in use, and gets a share."""
    return is_good(each) and each.get("state", "ready") == "ready" and not held and each.get("weight", 1) > 0


def is_good(each: Server) -> bool:
    return any(each["port"] in ports for ports in apps.GOOD.values())
