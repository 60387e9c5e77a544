"""The example's picture by hand, in the form in which rooms give theirs."""

from __future__ import annotations

from lbkit.engine.resource import Key
from lbkit.engine.view import Edge, Health, Node, Picture, Status

WEBS = [f"web-{number}" for number in (1, 2, 3)]
BALANCERS = ["lb-1", "lb-2"]


def web_picture() -> Picture:
    nodes = [
        Node("network front", "front", "network", ("10.80.0.0/24", "NAT")),
        Node("network back", "back", "network", ("10.80.1.0/24",)),
        Node("clients", "clients", "client"),
        Node("machine ns", "ns", "machine", ("10.80.0.20",), layer=1),
        Node("zone example.test", "example.test", "zone", inside="machine ns"),
        Node("load_balancer shop", "shop", "vip", ("10.80.0.10", "http :80")),
        Node("backend shop/web", "web", "backend", ("leastconn", "GET /healthz, every 2s")),
        Node("server shop/web/old", "old", "server", ("192.0.2.7:80",)),
    ]
    edges = [
        Edge("clients", "load_balancer shop"),
        Edge("clients", "zone example.test", "shop.example.test?", faint=True),
        Edge("machine ns", "network front"),
        Edge("backend shop/web", "server shop/web/old", "backup", faint=True),
    ]
    for index, name in enumerate(BALANCERS, 1):
        nodes.append(
            Node(f"machine {name}", name, "machine", (f"10.80.0.{index + 1}", f"10.80.1.{index + 1}"))
        )
        nodes.append(Node(f"vip {name}/shop", "keepalived", "vip", inside=f"machine {name}"))
        nodes.append(Node(f"haproxy {name}/shop", "haproxy", "haproxy", ("shop",), inside=f"machine {name}"))
        edges += [
            Edge("load_balancer shop", f"vip {name}/shop", faint=index > 1),
            Edge(f"haproxy {name}/shop", "backend shop/web", faint=index > 1),
            Edge(f"machine {name}", "network front", f"10.80.0.{index + 1}"),
            Edge(f"machine {name}", "network back", f"10.80.1.{index + 1}"),
        ]
    for index, name in enumerate(WEBS, 1):
        nodes.append(Node(f"machine {name}", name, "machine", (f"10.80.1.{index + 10}",)))
        nodes.append(Node(f"service {name}/app", "app", "service", (":8080",), inside=f"machine {name}"))
        edges += [
            Edge("backend shop/web", f"service {name}/app"),
            Edge(f"machine {name}", "network back", f"10.80.1.{index + 10}"),
        ]
    return Picture(tuple(nodes), tuple(edges))


def web_status() -> list[Status]:
    health = {
        "machine web-2": Health.DEGRADED,
        "service web-2/app": Health.DOWN,
        "backend shop/web": Health.DEGRADED,
    }
    absent = {"machine web-3", "service web-3/app"}
    rows = []
    for node in web_picture().nodes:
        if node.id == "clients":
            continue
        kind, _, name = node.id.partition(" ")
        present = node.id not in absent
        state = health.get(node.id, Health.UP) if present else Health.DOWN
        rows.append(Status(Key(kind, name), present, state, "no process" if state is Health.DOWN else ""))
    return rows
