"""HAProxy itself, in real namespaces: start, reload, crash, and what goes wrong."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import lbkit
from lbkit.base.errors import Failure
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.change import Action, Impact
from lbkit.engine.view import Health
from lbkit.haproxy import plan as haproxy_plan
from lbkit.haproxy import wanted
from lbkit.haproxy.text.digest import digest_in
from lbkit.network.namespace import entered
from tests.haproxy.versions import program
from tests.haproxy.world import VIP, World, get, steady_clients, until
from tests.machine.world import kill

pytestmark = pytest.mark.sandbox


def test_it_stands_and_serves_and_the_second_plan_is_empty(world: World) -> None:
    world.apply()
    assert not world.plan()
    assert {get().split("/")[1] for _ in range(9)} == {"web-1", "web-2", "web-3"}
    with world.haproxy("lb-1").runtime() as runtime:
        info = runtime.info()
        rows = runtime.stat()
        dump = runtime.servers_state()
    assert info.digest == digest_in(world.haproxy("lb-1").config() or "")
    assert f"lbkit:{world.name}:haproxy/lb-1/shop" in info.description
    assert [row.server for row in rows] == ["FRONTEND", "web-1", "web-2", "web-3", "BACKEND"]
    assert len(dump.splitlines()) == 5


def test_status_and_explanations_come_from_what_runs(world: World) -> None:
    world.apply()
    until(lambda: world.status()["server shop/web/web-2"].health is Health.UP, "checked")
    rows = world.status()
    assert rows["haproxy lb-1/shop"].health is Health.UP
    assert rows["haproxy lb-1/shop"].facts["servers_up"] == 3
    assert rows["vip shop"].health is Health.UP
    app = world.machine("web-2")
    app.put(app.folder("app") / "sick", b"")
    until(lambda: world.status()["server shop/web/web-2"].health is Health.DOWN, "its checks fail")
    said = " ".join(
        f"{each.what} {each.evidence}" for each in lbkit.explain(world.scope, "shop/web/web-2", world.host)
    )
    assert "L7STS" in said
    assert "status 503" in said
    assert "accepts TCP" in said
    assert "the application says that it is not well" in said
    app.stop("app")
    until(lambda: "L4CON" in world.status()["server shop/web/web-2"].detail, "nothing listens")
    said = " ".join(
        f"{each.what} {each.evidence}" for each in lbkit.explain(world.scope, "shop/web/web-2", world.host)
    )
    assert "nothing listens on its port" in said
    assert "refused" in said
    assert all(
        finding.good is not False for finding in lbkit.explain(world.scope, "shop/web/web-1", world.host)
    )
    assert any(finding.good is False for finding in lbkit.explain(world.scope, "shop", world.host))
    assert any(finding.good is False for finding in lbkit.explain(world.scope, "shop/web", world.host))


@pytest.mark.parametrize("impact", [Impact.HITLESS, Impact.RELOAD])
def test_changes_under_steady_requests_lose_none(world: World, impact: Impact) -> None:
    """Servers come and go with their machines, and where it is a reload something else changes too: 2,000 requests."""
    world.apply()
    workers = {name: worker(world, name) for name in ("lb-1", "lb-2")}
    with steady_clients() as clients:
        for round_ in range(4):
            servers = world.shop["backends"]["web"]["servers"][0]
            servers["weight"] = 1 + round_
            world.data["machines"]["web"]["count"] = 2 + round_ % 2
            if impact is Impact.RELOAD:
                world.shop["maxconn"] = 500 + round_
            planned = world.plan()
            assert {change.impact for change in planned.changes if change.key.kind == "haproxy"} == {impact}
            world.apply()
            assert not world.plan()
        until(lambda: clients.requests >= 2000, "2,000 requests")
    assert clients.failed == []
    assert clients.served["web-3"] > 0
    stayed = {name: worker(world, name) for name in workers} == workers
    assert stayed is (impact is Impact.HITLESS)


def worker(world: World, member: str) -> int:
    with world.haproxy(member).runtime() as runtime:
        return runtime.info().pid


def test_a_change_says_what_differs(world: World) -> None:
    world.apply()
    world.data["machines"]["web"]["count"] = 2
    change = next(change for change in world.plan().changes if change.key.kind == "haproxy")
    assert (change.action, change.impact) == (Action.UPDATE, Impact.HITLESS)
    assert change.reason == "backend web: server web-3 is removed"


def test_machines_go_after_haproxy_has_let_go_of_them(world: World) -> None:
    world.apply()
    world.data["machines"]["web"]["count"] = 2
    waves = {str(change.key): change.wave for change in world.plan().changes}
    assert waves["haproxy lb-1/shop"] < waves["service web-3/app"] < waves["machine web-3"]


def test_the_listening_sockets_and_the_master_stay_over_a_reload(world: World) -> None:
    world.apply()
    instance = world.haproxy("lb-1")
    before = world.pid("lb-1", "haproxy-shop")
    world.shop["maxconn"] = 500
    world.apply()
    assert world.pid("lb-1", "haproxy-shop") == before
    workers = instance.master().workers()
    assert workers is not None
    assert (workers.reloads, workers.failed) == (1, 0)


def test_what_was_set_by_hand_is_drift_and_undone(world: World) -> None:
    world.apply()
    with world.haproxy("lb-1").runtime() as runtime:
        runtime.do("set server web/web-1 state drain")
        runtime.do("set server web/web-2 weight 7")
    (change,) = world.plan().changes
    assert change.impact is Impact.HITLESS
    assert change.reason == (
        "backend web: server web-1 state: drain -> ready; backend web: server web-2 weight: 7 -> 1"
    )
    world.apply()
    assert not world.plan()
    with world.haproxy("lb-1").runtime() as runtime:
        assert {row.server: (row.up, row.weight) for row in runtime.stat()}["web-1"] == (True, 1)


def test_what_was_set_by_hand_stays_over_a_reload_where_that_is_declared(world: World) -> None:
    world.shop["by_hand"] = "keep"
    world.apply()
    with world.haproxy("lb-1").runtime() as runtime:
        runtime.do("set server web/web-1 state drain")
        runtime.do("set server web/web-2 weight 7")
    plan = world.plan()
    assert not plan
    assert [note for note in plan.notes if "by hand" in note and "web-1" in note]
    world.shop["maxconn"] = 500
    world.apply()
    with world.haproxy("lb-1").runtime() as runtime:
        states = {row.server: (row.status, row.weight) for row in runtime.stat()}
    assert states["web-1"][0] == "DRAIN"
    assert states["web-2"][1] == 7


def test_what_haproxy_refuses_never_replaces_what_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.apply()
    good = world.haproxy("lb-1").config()
    real = wanted.render
    monkeypatch.setattr(wanted, "render", lambda config: real(config) + "    bogus word\n")
    with pytest.raises(ApplyFailed) as caught:
        world.apply()
    assert "unknown keyword 'bogus' in 'backend' section" in caught.value.found
    assert "nothing of it was changed" in caught.value.remedy
    assert world.haproxy("lb-1").config() == good
    monkeypatch.undo()
    assert not world.plan()
    get()


def test_a_reload_that_fails_rolls_back_and_says_why(world: World) -> None:
    world.apply()
    good = {name: world.haproxy(name).config() for name in ("lb-1", "lb-2")}
    world.shop["frontends"]["more"] = {"bind": 81, "backend": "web"}
    before = world.pid("lb-1", "haproxy-shop")
    with listener(world, "lb-1", 81), listener(world, "lb-2", 81), pytest.raises(ApplyFailed) as caught:
        world.apply()
    assert "Address already in use" in caught.value.found
    assert ":81" in caught.value.found
    assert {name: world.haproxy(name).config() for name in ("lb-1", "lb-2")} == good
    assert world.pid("lb-1", "haproxy-shop") == before
    get()
    until(
        lambda: {change.impact for change in world.plan().changes} == {Impact.RELOAD}, "both to be reloaded"
    )
    world.apply()
    assert not world.plan()
    get(port=81)


def test_a_port_in_use_at_the_start_is_named(world: World) -> None:
    del world.shop["vip"]
    balancers = world.data.pop("load_balancers")
    world.apply()
    world.data["load_balancers"] = balancers
    with listener(world, "lb-1", 80), listener(world, "lb-2", 80), pytest.raises(ApplyFailed) as caught:
        world.apply()
    assert "Address already in use" in caught.value.found
    assert ":80" in caught.value.found
    world.apply()
    assert not world.plan()


def listener(world: World, member: str, port: int) -> closing[socket.socket]:
    """Somebody who has the port already."""
    with entered(world.host, f"{world.name}.{member}"):
        return closing(socket.create_server(("0.0.0.0", port)))


@pytest.mark.parametrize("whom", ["master", "worker"])
def test_a_killed_haproxy_is_started_again(world: World, whom: str) -> None:
    world.apply()
    if whom == "master":
        world.kill_haproxy("lb-1")
    else:
        with world.haproxy("lb-1").runtime() as runtime:
            kill(runtime.info().pid)
    until(lambda: "haproxy-shop" not in world.machine("lb-1").running(), "its end")
    (change,) = world.plan().changes
    assert (str(change.key), change.action, change.impact) == (
        "haproxy lb-1/shop",
        Action.RESTART,
        Impact.DISRUPTIVE,
    )
    assert "does not run" in change.reason
    world.apply()
    assert not world.plan()


def test_a_file_that_was_written_but_not_loaded_is_noticed(world: World) -> None:
    """As after a kill -9 between the write and the reload."""
    world.apply()
    world.shop["maxconn"] = 500
    scope = world.scope
    texts = {
        str(each.key): each.state["config"]
        for each in haproxy_plan.desired(scope, world.host)
        if each.key.kind == "haproxy"
    }
    world.haproxy("lb-1").put("haproxy.cfg", texts["haproxy lb-1/shop"].encode())
    reasons = {str(change.key): change.reason for change in world.plan().changes}
    assert reasons["haproxy lb-1/shop"] == "the running HAProxy has not loaded its file"
    world.apply()
    assert not world.plan()


def test_a_file_that_somebody_changed_is_written_again_without_a_reload(world: World) -> None:
    world.apply()
    instance = world.haproxy("lb-1")
    text = instance.config() or ""
    instance.put("haproxy.cfg", f"{text}# mine\n".encode())
    (change,) = world.plan().changes
    assert change.impact is Impact.NONE
    world.apply()
    assert instance.config() == text
    workers = instance.master().workers()
    assert workers is not None
    assert workers.reloads == 0


def test_ports_change_hands_between_load_balancers(world: World) -> None:
    world.apply()
    world.data["load_balancers"] = {"store": world.shop}
    world.apply()
    assert not world.plan()
    get()


def test_an_unanswering_socket_is_a_failure_that_names_it(world: World) -> None:
    world.apply()
    world.machine("lb-1").stop("haproxy-shop")
    with pytest.raises(Failure, match=re.escape("runtime.sock")):
        world.haproxy("lb-1").runtime()


def test_paths_of_sockets_may_be_long(world: World, tmp_path: Path) -> None:
    """A unix socket's address holds 107 bytes: neither HAProxy nor lbkit write more than its name into it."""
    world.host = replace(world.host, run_dir=tmp_path / ("long" * 30))
    world.apply()
    assert not world.plan()
    get()


def test_tcp_mode_carries_what_is_no_http_both_ways(world: World) -> None:
    """Each server says its name first, as no HTTP server does, and then gives back what it got."""
    echo = (
        "import os, socketserver\n"
        "class Echo(socketserver.StreamRequestHandler):\n"
        "    def handle(self):\n"
        "        self.wfile.write(os.environ['LBKIT_SERVICE'].encode() + b'\\n')\n"
        "        while line := self.rfile.readline():\n"
        "            self.wfile.write(line)\n"
        "socketserver.ThreadingTCPServer(('', 8080), Echo).serve_forever()\n"
    )
    world.data["machines"]["web"]["run"][0]["files"] = {"app.py": {"content": echo}}
    world.shop["frontends"] = {"raw": {"bind": 7000, "mode": "tcp", "backend": "web"}}
    world.shop["backends"]["web"]["health_check"] = {"protocol": "tcp", "interval": "200ms"}
    world.apply()
    assert not world.plan()
    served = set()
    for _ in range(6):
        with closing(socket.create_connection((VIP, 7000), timeout=5)) as connection:
            connection.sendall(b"\0\xff no request\n")
            with connection.makefile("rb") as lines:
                served.add(lines.readline().decode().split("/")[1])
                assert lines.readline() == b"\0\xff no request\n"
    assert served == {"web-1", "web-2", "web-3"}


def test_clients_virtual_address_and_servers_by_ipv6_alone(world: World) -> None:
    world.data["networks"] = {"front": {"cidr": "fd00:80::/64"}, "back": {"cidr": "fd00:81::/64"}}
    world.shop["vip"]["address"] = "fd00:80::10"
    app = world.data["machines"]["web"]["run"][0]["files"]["app.py"]
    assert "ThreadingTCPServer):" in app["content"]
    app["content"] = app["content"].replace(
        "ThreadingTCPServer):", "ThreadingTCPServer):\n    address_family = socketserver.socket.AF_INET6"
    )
    world.apply()
    assert not world.plan()
    assert {get("fd00:80::10").split("/")[1] for _ in range(9)} == {"web-1", "web-2", "web-3"}
    until(lambda: world.status()["server shop/web/web-2"].health is Health.UP, "checked by IPv6")
    world.kill("web-2", "app")
    until(lambda: world.status()["server shop/web/web-2"].health is Health.DOWN, "its checks fail")
    assert {get("fd00:80::10").split("/")[1] for _ in range(6)} == {"web-1", "web-3"}


def test_another_executable_is_a_restart_and_then_runs(world: World) -> None:
    world.apply()
    world.shop["program"] = str(program("3.0"))
    changes = [change for change in world.plan().changes if change.key.kind == "haproxy"]
    assert {change.impact for change in changes} == {Impact.DISRUPTIVE}
    assert all("is to be" in change.reason for change in changes)
    world.apply()
    assert not world.plan()
    with world.haproxy("lb-1").runtime() as runtime:
        assert runtime.info().version.startswith("3.0")
    get()


def test_what_is_no_haproxy_never_replaces_one(world: World) -> None:
    world.apply()
    before = world.pid("lb-1", "haproxy-shop")
    world.shop["program"] = "/bin/true"
    with pytest.raises(ApplyFailed) as caught:
        world.apply()
    assert "was to be an HAProxy" in str(caught.value)
    assert world.pid("lb-1", "haproxy-shop") == before
    get()
