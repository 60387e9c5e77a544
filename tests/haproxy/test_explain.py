"""`lbkit explain shop/web/web-2`: each way to break a server, and the cause that is read."""

from __future__ import annotations

import pytest

import lbkit
from lbkit.engine.view import Finding
from tests.haproxy.world import World, until

pytestmark = pytest.mark.sandbox

SERVER = "shop/web/web-2"


def explained(world: World, path: str = SERVER) -> list[Finding]:
    return list(lbkit.explain(world.scope, path, world.host))


def causes(world: World, path: str = SERVER) -> str:
    return "; ".join(each.what for each in explained(world, path) if each.what.startswith("likely cause"))


def said(world: World, path: str = SERVER) -> str:
    return "\n".join(f"{each.what} | {each.evidence}" for each in explained(world, path))


def status(world: World, member: str, backend: str = "web", server: str = "web-2") -> str:
    with world.haproxy(member).runtime() as runtime:
        rows = {(row.proxy, row.server): row.status for row in runtime.stat()}
    return rows.get((backend, server), "")


def until_down(world: World, backend: str = "web") -> None:
    until(lambda: all(status(world, lb, backend) == "DOWN" for lb in ("lb-1", "lb-2")), "its checks fail")


def runtime(world: World, command: str) -> None:
    for member in ("lb-1", "lb-2"):
        with world.haproxy(member).runtime() as connection:
            connection.ask(command)


@pytest.fixture
def standing(world: World) -> World:
    """No virtual address, which nothing here is about; backends whose servers get nothing from the start."""
    world.shop.pop("vip")
    backends = world.shop["backends"]
    check = backends["web"]["health_check"]
    check["timeout"] = "300ms"
    servers = {"machines": "web", "port": 8080}
    backends["wrong"] = {"servers": [{**servers, "port": 8081}], "health_check": check}
    backends["idle"] = {"servers": [{**servers, "weight": 0}], "health_check": check}
    spare = {"name": "spare", "address": "127.0.0.1", "port": 80, "backup": True}
    backends["spared"] = {"servers": [servers, spare], "health_check": check}
    ghost = {"name": "ghost", "address": "10.80.1.250", "port": 80}
    backends["lost"] = {"servers": [ghost], "health_check": check}
    world.apply()
    until(lambda: all(status(world, lb).startswith("UP") for lb in ("lb-1", "lb-2")), "checked")
    return world


def test_of_one_that_works_nothing_is_bad(standing: World) -> None:
    found = explained(standing)
    assert not [each for each in found if each.good is False]
    assert causes(standing) == ""
    words = said(standing)
    assert "admin state ready, wanted ready" in words
    assert "link back is up" in words
    assert "accepts TCP" in words
    assert "last change by lbkit" in words
    assert "L7OK status 200" in words


def test_nothing_listens(standing: World) -> None:
    standing.machine("web-2").stop("app")
    until_down(standing)
    assert "nothing listens on its port 8080: its service app does not run" in causes(standing)
    assert "L4CON" in said(standing)


def test_the_application_is_sick(standing: World) -> None:
    app = standing.machine("web-2")
    app.put(app.folder("app") / "sick", b"")
    until_down(standing)
    assert "answers the check with status 503, not 200-399" in causes(standing)


def test_what_is_declared_so(standing: World) -> None:
    until_down(standing, "wrong")
    wrong = causes(standing, "shop/wrong/web-2")
    assert "nothing listens on its port 8081: a wrong port? web-2 has app 8080" in wrong
    assert "its weight is 0, as declared" in causes(standing, "shop/idle/web-2")
    until(lambda: status(standing, "lb-1", "spared", "spare").startswith("UP"), "checked")
    assert "it is a backup" in causes(standing, "shop/spared/spare")


def test_the_machine_s_link_is_down(standing: World) -> None:
    standing.machine("web-2").execute(["ip", "link", "set", "back", "down"])
    until_down(standing)
    assert "the link back of its machine web-2 is down" in causes(standing)


def test_nobody_has_the_address(standing: World) -> None:
    until(lambda: status(standing, "lb-1", "lost", "ghost") == "DOWN", "its checks fail")
    words = causes(standing, "shop/lost/ghost")
    assert "nobody answers for 10.80.1.250 on back (ARP)" in words
    assert "neighbour 10.80.1.250 is" in said(standing, "shop/lost/ghost")


def test_it_is_not_loaded_yet(standing: World) -> None:
    new = {"name": "new", "address": "10.80.1.250", "port": 80}
    standing.shop["backends"]["web"]["servers"].append(new)
    assert "its configuration is not loaded yet: apply" in causes(standing, "shop/web/new")


def test_a_firewall_drops(standing: World) -> None:
    web = standing.machine("web-2")  # that it answers nothing is what a firewall does to it
    web.execute(["ip", "route", "replace", "blackhole", "10.80.1.0/25"])
    web.execute(["ip", "route", "replace", "blackhole", "10.80.1.128/25"])
    until_down(standing)
    assert "nobody answers at 10.80.1." in causes(standing)
    assert "a firewall drops packets" in causes(standing)


def test_the_load_balancer_s_own_link_or_route(standing: World) -> None:
    standing.machine("lb-1").execute(["ip", "link", "set", "back", "down"])
    standing.machine("lb-2").execute(["ip", "route", "add", "unreachable", "10.80.1.0/25"])
    standing.machine("lb-2").execute(["ip", "route", "add", "unreachable", "10.80.1.128/25"])
    until_down(standing)
    words = causes(standing)
    assert "the link back of lb-1 is down, and packets to 10.80.1." in words
    assert "lb-2 cannot send to" in words
    assert "a route says that it is unreachable" in words


def test_the_machine_is_gone(standing: World) -> None:
    web = standing.machine("web-2")
    web.stop("app")
    standing.machine("lb-1").execute(["ip", "netns", "delete", f"{standing.name}.web-2"])
    until_down(standing)
    assert "its machine web-2 is gone: apply" in causes(standing)


def test_by_hand(standing: World) -> None:
    runtime(standing, "set server web/web-2 state drain")
    words = causes(standing)
    assert "it is drained" in words
    assert "by hand at the runtime socket" in words
    runtime(standing, "set server web/web-2 state maint")
    words = causes(standing)
    assert "it is in maintenance, set so by hand at the runtime socket" in words
    assert "`set server web/web-2 state ready`" in words
    assert "admin state maintenance, wanted ready" in said(standing)
    runtime(standing, "set server web/web-2 state ready")
    runtime(standing, "set weight web/web-2 0")
    until(lambda: "weight" in causes(standing), "its weight is seen")
    assert "weight" in causes(standing)
    assert "by hand" in causes(standing)


def test_held(standing: World) -> None:
    lbkit.hold(standing.scope, SERVER, host=standing.host, reason="disk fails", by="ada")
    words = causes(standing)
    assert "it is held by ada until it is released: disk fails" in words
    assert "admin state drain, wanted drain" in said(standing)
    assert "hold" in said(standing)


def test_haproxy_does_not_run(standing: World) -> None:
    standing.kill_haproxy("lb-1")
    until(lambda: "haproxy-shop" not in standing.machine("lb-1").running(), "it is dead")
    words = causes(standing)
    assert "HAProxy does not run (at lb-1)" in words
