"""Holds in real HAProxys: drained when the command returns, on every member, and nothing else is touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import lbkit
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure, Mistake
from lbkit.engine.change import Impact
from lbkit.engine.holds import FILE, Hold, Holds, write_holds
from lbkit.engine.journal import read_journal
from lbkit.engine.view import Health
from lbkit.haproxy import holding
from tests.haproxy.topologies import document, load
from tests.haproxy.world import World, get, steady_clients, until

PATH = "shop/web/web-2"


class Later(SystemClock):
    """Two hours from now."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=2)


def hold(world: World, path: str = PATH, **more: object) -> list[str]:
    made = lbkit.hold(world.scope, path, reason="disk", by="ada", host=world.host, **more)  # type: ignore[arg-type]
    return [each.what for each in made.done]


def drained(world: World, server: str = "web-2") -> list[str]:
    found = []
    for member in ("lb-1", "lb-2"):
        with world.haproxy(member).runtime() as runtime:
            found += [member for each in runtime.servers() if each.server == server and each.admin]
    return found


def served(count: int = 12) -> set[str]:
    return {get().split("/")[1] for _ in range(count)}


@pytest.mark.sandbox
def test_a_held_server_gets_no_new_request_and_a_released_one_does(world: World) -> None:
    world.apply()
    until(lambda: world.status()["server shop/web/web-2"].health is Health.UP, "checked")
    world.shop["backends"]["web"]["balance"] = "leastconn"  # pending, and none of the hold's business
    before = world.plan().changes
    with steady_clients() as clients:
        assert [words.split(";")[0] for words in hold(world)] == [
            "lb-1: web-2 is drained", "lb-2: web-2 is drained",
        ]  # fmt: skip
        assert drained(world) == ["lb-1", "lb-2"]
        assert "web-2" not in served()
        assert {str(change) for change in before} <= {str(change) for change in world.plan().changes}
        row = world.status()["server shop/web/web-2"]
        assert row.health is Health.DEGRADED
        assert "held by ada until it is released: disk" in row.detail
        assert row.facts["hold"]["reason"] == "disk"
        assert lbkit.explain(world.scope, PATH, world.host)[0].what == f"it is {row.detail.split('; ')[-1]}"
        back = lbkit.release(world.scope, PATH, host=world.host)
        assert back is not None
        assert [each.good for each in back.done] == [True, True]
        assert drained(world) == []
        assert "web-2" in served()
    assert clients.failed == []
    assert lbkit.release(world.scope, PATH, host=world.host) is None
    told = [line for line in read_journal(world.host.folder(world.name) / "journal.jsonl") if "path" in line]
    assert [line["event"] for line in told] == ["hold", "hold done", "release", "release done"]
    assert told[1]["executed"][0].endswith("set server web/web-2 state drain")


@pytest.mark.sandbox
def test_a_hold_stands_where_haproxy_does_not_run(world: World) -> None:
    world.apply()
    world.machine("lb-1").stop("haproxy-shop")
    said = hold(world)
    assert said[0] == "lb-1: HAProxy does not run"
    assert said[1].startswith("lb-2: web-2 is drained")
    assert [held.path for held in lbkit.holds(world.scope, world.host)] == [PATH]
    back = lbkit.release(world.scope, PATH, host=world.host)
    assert back is not None
    assert next(each.good for each in back.done) is None


@pytest.mark.sandbox
def test_a_server_that_is_still_to_come_can_be_held(world: World) -> None:
    world.apply()
    world.shop["backends"]["new"] = {"servers": [{"name": "a", "address": "192.0.2.1", "port": 80}]}
    world.shop["frontends"]["new"] = {"bind": 81, "backend": "new"}
    assert hold(world, "shop/new/a") == [f"{lb}: its HAProxy does not have a yet" for lb in ("lb-1", "lb-2")]
    back = lbkit.release(world.scope, "shop/new/a", host=world.host)
    assert back is not None
    assert {each.good for each in back.done} == {None}


@pytest.mark.sandbox
def test_one_that_refuses_is_a_failure_and_the_others_are_drained(world: World) -> None:
    """lb-1's process lives and does not answer."""
    world.apply()
    socket = world.haproxy("lb-1").path("runtime.sock")
    world.machine("lb-1").discard(socket)
    with pytest.raises(Failure, match="lb-1"):
        hold(world)
    with world.haproxy("lb-2").runtime() as runtime:
        assert [each.server for each in runtime.servers() if each.admin.drain] == ["web-2"]
    assert [held.path for held in lbkit.holds(world.scope, world.host)] == [PATH]


@pytest.mark.sandbox
def test_what_is_not_drained_is_not_woken(world: World) -> None:
    """Somebody put it into maintenance meanwhile: its checks are off, so nobody knows whether it is up."""
    world.apply()
    hold(world)
    for member in ("lb-1", "lb-2"):
        with world.haproxy(member).runtime() as runtime:
            runtime.do("set server web/web-2 state maint")
    back = lbkit.release(world.scope, PATH, host=world.host)
    assert back is not None
    assert {each.what.split(": ")[1] for each in back.done} == {"web-2 is in maintenance"}
    assert drained(world) == ["lb-1", "lb-2"]


@pytest.mark.sandbox
def test_one_that_was_never_checked_is_not_put_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """HAProxy takes it for up. The last server's first check is two thirds of the interval away."""
    monkeypatch.setattr(holding, "CHECKED_WITHIN", 0.1)
    world.shop["backends"]["web"]["health_check"]["interval"] = "10m"
    world.apply()
    hold(world, "shop/web/web-3")
    back = lbkit.release(world.scope, "shop/web/web-3", host=world.host)
    assert back is not None
    assert {(each.good, each.what[6:]) for each in back.done} == {
        (False, "web-3 stays drained: no check of it has ended yet")
    }
    assert drained(world, "web-3") == ["lb-1", "lb-2"]


@pytest.mark.sandbox
def test_what_is_declared_out_of_use_stays_so(world: World) -> None:
    world.apply()
    world.shop["backends"]["web"]["servers"][0]["state"] = "drain"
    hold(world)
    back = lbkit.release(world.scope, PATH, host=world.host)
    assert back is not None
    assert [each.what for each in back.done] == [
        f"{lb}: web-2 stays out of use: its declared state is drain" for lb in ("lb-1", "lb-2")
    ]
    assert drained(world) == ["lb-1", "lb-2"]
    for member in ("lb-1", "lb-2"):
        with world.haproxy(member).runtime() as runtime:
            runtime.do("set server web/web-2 state maint")
    assert {words[6:] for words in hold(world)} == {"web-2 is in maintenance, and gets nothing: left so"}


@pytest.mark.sandbox
def test_a_destroy_takes_the_holds_along_and_a_broken_file_keeps_it_from_nothing(world: World) -> None:
    world.apply()
    hold(world)
    file = world.host.folder(world.name) / FILE
    assert json.loads(file.read_text())["holds"][0]["by"] == "ada"
    file.write_text("{")
    for ask in (world.plan, world.apply, world.status):
        with pytest.raises(Failure, match=FILE):
            ask()
    world.destroy()
    assert not file.exists()


@pytest.mark.sandbox
def test_the_plan_tells_of_holds_and_an_apply_lets_go_of_expired_ones(world: World) -> None:
    world.apply()
    hold(world, until=datetime.now(UTC) + timedelta(hours=1))
    plan = world.plan()
    assert plan.changes == (), "what was done by hand is what is wanted now"
    (note,) = plan.notes
    assert note.startswith(f"{PATH} is held by ada until ")
    world.host = replace(world.host, clock=Later())
    assert lbkit.holds(world.scope, world.host) == []
    plan = world.plan()
    (note,) = plan.notes
    assert note.startswith(f"{PATH} was held until ")
    assert {str(change.key) for change in plan.changes} == {"haproxy lb-1/shop", "haproxy lb-2/shop"}
    assert {change.impact for change in plan.changes} == {Impact.HITLESS}
    world.apply()
    assert drained(world) == []
    plan = world.plan()
    assert (plan.notes, plan.changes) == ((), ())


@pytest.mark.sandbox
def test_applies_respect_a_hold_after_a_crash_a_reload_and_a_kill_in_between(world: World) -> None:
    world.apply()
    hold(world)
    world.kill_haproxy("lb-1")
    world.shop["timeouts"] = {"connect": "3s"}  # lb-2 reloads
    world.apply()
    assert drained(world) == ["lb-1", "lb-2"]
    world.machine("lb-1").stop("haproxy-shop")
    lbkit.release(world.scope, PATH, host=world.host)
    # killed when the file was written, and HAProxy not told yet
    folder = world.host.folder(world.name)
    write_holds(folder, Holds({PATH: Hold(PATH, "disk", "ada", "2030-01-31T12:00:00+00:00")}))
    world.apply()
    assert drained(world) == ["lb-1", "lb-2"]
    assert not world.plan()


def test_servers_can_be_held_and_nothing_else() -> None:
    scope = load(document())
    for wrong, remedy in (("shop/web/web3", "did you mean 'shop/web/web-3'?"), ("shop/web", ""), ("", "")):
        with pytest.raises(Mistake) as caught:
            lbkit.hold(scope, wrong, reason="disk")
        assert remedy in str(caught.value)
