"""The virtual address in real namespaces: who has it, when it moves, and that it is given up."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from lbkit.engine.change import Action, Impact
from lbkit.engine.view import Health
from lbkit.haproxy import apply
from lbkit.haproxy.live import in_use
from lbkit.haproxy.vip import serving
from lbkit.haproxy.vip.config import vrrp_of
from tests.haproxy.world import World, get, until
from tests.machine.world import kill

pytestmark = pytest.mark.sandbox


def moves(world: World, cause: Callable[[], None], record: Callable[[str, object], None]) -> None:
    """`cause` makes the address move from its holder to the other one; clients get answers there."""
    (before,) = world.holders()
    other = {"lb-1": "lb-2", "lb-2": "lb-1"}[before]
    began = time.monotonic()
    cause()
    until(lambda: other in world.holders(), f"the address at {other}")
    # measured, not judged: the machine is shared
    record("failover_seconds", round(time.monotonic() - began, 3))
    until(_answers, "an answer")


def _answers() -> bool:
    try:
        get(timeout=1.0)
    except (OSError, AssertionError):
        return False
    return True


def test_one_machine_has_it_and_clients_are_answered(world: World) -> None:
    world.apply()
    assert len(world.holders()) == 1
    get()
    row = world.status()["vip shop"]
    assert row.health is Health.UP
    assert row.facts["holders"] == world.holders()


def test_it_moves_when_haproxy_dies_and_stays_when_it_comes_back(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    world.apply()
    (holder,) = world.holders()
    moves(world, lambda: world.kill_haproxy(holder), record_property)
    until(lambda: len(world.holders()) == 1, "one holder")
    world.apply()  # starts the dead one again
    assert not world.plan()
    assert world.holders() != [holder]


def test_it_moves_when_haproxy_hangs(world: World, record_property: Callable[[str, object], None]) -> None:
    world.apply()
    (holder,) = world.holders()
    with world.haproxy(holder).runtime() as runtime:
        worker = runtime.info().pid
    try:
        moves(world, lambda: os.kill(worker, signal.SIGSTOP), record_property)
        reasons = {str(change.key): change for change in world.plan().changes}
        change = reasons[f"haproxy {holder}/shop"]
        assert change.action is Action.RESTART
        assert "does not answer" in change.reason
        world.apply()
        assert not world.plan()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


def test_it_moves_when_keepalived_dies(world: World, record_property: Callable[[str, object], None]) -> None:
    world.apply()
    (holder,) = world.holders()
    moves(world, lambda: world.kill_keepalived(holder), record_property)
    until(lambda: len(world.holders()) == 1, "the dead one to give it up")
    row = world.status()["vip shop"]
    assert row.health is Health.DEGRADED
    assert f"does not run on {holder}" in row.detail
    (change,) = world.plan().changes
    assert (str(change.key), change.action, change.impact) == (
        f"vip {holder}/shop",
        Action.RESTART,
        Impact.HITLESS,
    )
    world.apply()
    assert not world.plan()
    assert world.holders() != [holder]


def test_an_address_that_a_killed_keepalived_left_is_cleared(world: World) -> None:
    """keepalived killed without a chance to give the address up: watch.py starts it again, which clears it."""
    world.apply()
    (holder,) = world.holders()
    folder = world.machine(holder).folder("vip-shop")
    pids = [int(Path(folder / name).read_text()) for name in ("keepalived.pid", "vrrp.pid")]
    for pid in pids:
        kill(pid)
    until(lambda: len(world.holders()) == 1 and world.holders() != [holder], "the other one alone")
    assert not world.plan()


def test_it_moves_when_the_machine_is_cut_off(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    world.apply()
    (holder,) = world.holders()
    on = world.machine(holder)
    moves(world, lambda: _ip(on, "link", "set", "front", "down"), record_property)
    _ip(on, "link", "set", "front", "up")


def _ip(on: object, *words: str) -> None:
    on.execute(("ip", *words))  # type: ignore[attr-defined]


def test_a_stop_gives_it_up(world: World) -> None:
    world.apply()
    (holder,) = world.holders()
    world.machine(holder).stop("vip-shop")
    assert holder not in world.holders()
    until(lambda: len(world.holders()) == 1, "the other one")


def test_it_stays_where_it_is_over_a_reload_of_either(world: World) -> None:
    world.apply()
    holder = world.holders()
    watchers = {name: world.pid(name, "vip-shop") for name in ("lb-1", "lb-2")}
    world.shop["vip"]["interval"] = "150ms"
    world.shop["maxconn"] = 700
    planned = {change.key.kind: change.impact for change in world.plan().changes}
    assert planned == {"haproxy": Impact.RELOAD, "vip": Impact.RELOAD}
    world.apply()
    assert not world.plan()
    assert world.holders() == holder
    assert {name: world.pid(name, "vip-shop") for name in ("lb-1", "lb-2")} == watchers


def test_another_address_is_taken_and_the_old_one_given_up(world: World) -> None:
    world.apply()
    world.shop["vip"]["address"] = "10.80.0.99"
    assert {change.impact for change in world.plan().changes} == {Impact.DISRUPTIVE}
    world.apply()
    assert not world.plan()
    get("10.80.0.99")
    with pytest.raises(OSError):
        get("10.80.0.10", timeout=0.5)


def test_without_a_virtual_address_keepalived_goes(world: World) -> None:
    world.apply()
    del world.shop["vip"]
    world.apply()
    assert not world.plan()
    assert "vip-shop" not in world.machine("lb-1").running()


def test_both_families_move_together(world: World) -> None:
    world.data["networks"]["front"]["cidr"] = ["10.80.0.0/24", "fd00:80::/64"]
    world.shop["vip"]["address"] = ["10.80.0.10", "fd00:80::10"]
    world.apply()
    assert not world.plan()
    get("10.80.0.10")
    get("fd00:80::10")
    (holder,) = world.holders()
    world.kill_haproxy(holder)
    until(lambda: len(world.holders()) == 1 and world.holders() != [holder], "both at the other one")
    get("10.80.0.10")
    get("fd00:80::10")


def test_by_ipv6_alone(world: World) -> None:
    world.data["networks"]["front"]["cidr"] = "fd00:80::/64"
    world.shop["vip"]["address"] = "fd00:80::10"
    world.apply()
    get("fd00:80::10")
    (holder,) = world.holders()
    world.kill_haproxy(holder)
    until(lambda: len(world.holders()) == 1 and world.holders() != [holder], "the other one")


def test_a_frontend_on_the_virtual_address_alone_listens_on_both_machines(world: World) -> None:
    world.shop["frontends"]["http"]["bind"] = "10.80.0.10:80"
    world.apply()
    get()
    (holder,) = world.holders()
    world.kill_haproxy(holder)
    until(lambda: len(world.holders()) == 1 and world.holders() != [holder], "the other one")
    get()


def test_one_machine_is_enough(world: World) -> None:
    world.data["machines"]["lb"]["count"] = 1
    world.apply()
    assert not world.plan()
    get()


def test_the_first_machine_is_preferred_when_all_begin(world: World) -> None:
    vip = world.scope.resolved["haproxy"].by_name["shop"].vip
    priorities = [vrrp_of("shop", vip, member, world.name).priority for member in ("lb-1", "lb-2")]
    assert priorities[0] > priorities[1]


def test_it_is_not_looked_for_on_a_machine_that_a_later_wave_makes(world: World) -> None:
    """lb-1 gets the address that lb has, so lb-2 is up with its keepalived before lb-1 is made."""
    group = world.data["machines"]["lb"]
    count = group.pop("count")
    world.apply()
    group["count"] = count
    world.apply()
    assert not world.plan()
    assert len(world.holders()) == 1


def _comes_late_onto_its_network(world: World) -> str:
    """The machine without the address: its HAProxy was started while its link was down, and knows no server that is up."""
    (holder,) = world.holders()
    member = {"lb-1": "lb-2", "lb-2": "lb-1"}[holder]
    on = world.machine(member)
    for program in ("vip-shop", "haproxy-shop"):
        on.stop(program)
    (start,) = (change for change in world.plan().changes if change.key.kind == "haproxy")
    _ip(on, "link", "set", "back", "down")
    apply.carry_out(start, world.scope, world.host, Mock())
    _ip(on, "link", "set", "back", "up")
    with world.haproxy(member).runtime() as runtime:
        assert not any(in_use(each) for each in runtime.servers())
    return member


def test_a_machine_may_get_the_address_once_its_haproxy_has_servers(world: World) -> None:
    world.shop["backends"]["web"]["health_check"] |= {"interval": "1s", "rise": 2}
    world.apply()
    member = _comes_late_onto_its_network(world)
    result = world.apply()
    assert [str(change.key) for change in result.done] == [f"vip {member}/shop"]
    with world.haproxy(member).runtime() as runtime:
        assert any(in_use(each) for each in runtime.servers())
    assert result.notes == ()


def test_where_no_server_comes_up_it_gets_its_chance_all_the_same_and_that_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST", 0.2)
    world.shop["backends"]["web"]["health_check"] |= {"interval": "10s"}
    world.apply()
    member = _comes_late_onto_its_network(world)
    (note,) = world.apply().notes
    assert (
        note == f"vip {member}/shop: no server of web is up there after 0.2 s, and yet it may get the address"
    )
    assert not world.plan()


def test_who_leaves_may_hold_it_until_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successor has been made already, and has nothing yet."""
    world.shop["backends"]["web"]["health_check"] |= {"interval": "1s", "rise": 2}
    world.apply()
    member = _comes_late_onto_its_network(world)
    (holder,) = world.holders()
    plan = world.plan().changes
    successor = Mock(running=dict, addresses=lambda _: ())
    found = {member: world.machine(member), holder: successor}
    leaves = [world.machine(holder)]
    monkeypatch.setattr("lbkit.haproxy.instance.machine", lambda scope, host, name: found[name])
    monkeypatch.setattr("lbkit.haproxy.instance.leaving", lambda scope, host: leaves)
    apply.apply(plan, world.scope, world.host, Mock())
    with world.haproxy(member).runtime() as runtime:
        assert any(in_use(each) for each in runtime.servers())
