from __future__ import annotations

from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.diff import diff
from lbkit.engine.order import in_waves
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.haproxy.looking import ActualHaproxy, state_of
from lbkit.haproxy.room import ROOM
from lbkit.haproxy.runtime.master import alerts
from lbkit.haproxy.transition.state import Running
from lbkit.haproxy.wanted import DesiredHaproxy
from tests.haproxy.topologies import Document, balancer, document, load, with_

HOST = Host(run_dir=Path("/nowhere"))
LB = Key("haproxy", "lb-1/shop")
VIP = Key("vip", "lb-1/shop")


def desired(data: Document | None = None) -> dict[Key, Desired]:
    return {each.key: each for each in ROOM.desired(load(data or document()), HOST)}


def standing(wants: dict[Key, Desired]) -> list[Actual]:
    return [standing_as(want) for want in wants.values()]


def standing_as(want: Desired) -> Actual:
    """As if HAProxy had just been started with it."""
    if not isinstance(want, DesiredHaproxy):
        return Actual(want.key, want.state, "web", want.requires, want.claims)
    running = Running(
        want.wanted.text,
        alive=True,
        answers=True,
        loaded=want.state["loaded"],
        version="2.6.12",
        servers=want.wanted.servers,
    )
    return actual(want.key, running, want)


def actual(key: Key, running: Running, want: Desired) -> ActualHaproxy:
    return ActualHaproxy(key, state_of(running), "web", want.requires, want.claims, running=running)


def test_what_stands_as_wanted_is_no_change() -> None:
    wants = desired()
    assert diff(wants.values(), standing(wants), owner="web", judge=ROOM) == []


def test_one_of_each_kind_on_every_machine() -> None:
    assert set(desired()) == {
        Key(kind, f"lb-{number}/shop") for kind in ("haproxy", "vip") for number in (1, 2)
    }


def test_haproxy_comes_after_what_it_sends_traffic_to_and_the_address_after_it() -> None:
    wants = desired()
    assert {Key("machine", "lb-1"), Key("machine", "web-1"), Key("service", "web-1/app")} <= wants[
        LB
    ].requires
    waves = {
        change.key: change.wave for change in in_waves(diff(wants.values(), [], owner="web", judge=ROOM))
    }
    assert waves[LB] < waves[VIP]


def replaced(impact: Impact) -> Change:
    return Change(Key("machine", "lb-1"), Action.REPLACE, impact, "cpus", None, None)


def test_a_machine_that_hands_over_costs_clients_who_are_there_just_then() -> None:
    with_address, without = desired(), desired(with_("load_balancers.shop.vip", None))
    again = {key: ROOM.judge_again(want, replaced(Impact.HITLESS)) for key, want in with_address.items()}
    assert again[LB].impact is Impact.NONE
    assert again[VIP].impact is Impact.DISRUPTIVE
    assert "connections open to it end" in again[VIP].reason
    alone = ROOM.judge_again(without[LB], replaced(Impact.HITLESS))
    assert alone.impact is Impact.DISRUPTIVE
    assert "its own addresses" in alone.reason
    assert alone.steps == ROOM.judge_create(without[LB]).steps
    for want in (with_address[VIP], without[LB]):
        assert ROOM.judge_again(want, replaced(Impact.NONE)).impact is Impact.NONE


def test_the_address_goes_before_haproxy() -> None:
    gone = in_waves(diff([], standing(desired()), owner="web", judge=ROOM))
    waves = {change.key: change.wave for change in gone}
    assert waves[VIP] < waves[LB]
    impacts = {change.key.kind: change.impact for change in gone}
    assert impacts == {"haproxy": Impact.DISRUPTIVE, "vip": Impact.HITLESS}


def test_a_port_is_given_up_before_it_is_taken() -> None:
    before = desired()
    after = desired(document(load_balancers={"cart": balancer()}))
    changes = in_waves(diff(after.values(), standing(before), owner="web", judge=ROOM))
    waves = {change.key: change.wave for change in changes}
    assert waves[LB] < waves[Key("haproxy", "lb-1/cart")]
    assert waves[VIP] < waves[Key("vip", "lb-1/cart")]


def test_a_dead_haproxy_is_to_be_started_again() -> None:
    wants = desired()
    have = actual(LB, Running(wants[LB].state["config"], alive=False), wants[LB])
    verdict = ROOM.judge_update(wants[LB], have)
    assert verdict is not None
    assert (verdict.action, verdict.impact) == (Action.RESTART, Impact.DISRUPTIVE)


def test_what_can_be_changed_at_run_time_is_hitless_and_says_its_steps() -> None:
    wants = desired()
    other = desired(with_("load_balancers.shop.backends.web.servers.1.weight", 3))
    verdict = ROOM.judge_update(other[LB], standing_as(wants[LB]))
    assert verdict is not None
    assert (verdict.action, verdict.impact) == (Action.UPDATE, Impact.HITLESS)
    assert verdict.reason == "backend web: server old weight: 10 -> 3"
    assert verdict.steps == (
        "check the new configuration (haproxy -c)",
        "write haproxy.cfg",
        "set server web/old weight 3",
        "write servers.state",
    )


def test_what_only_a_reload_takes_up_is_one_with_its_reason() -> None:
    wants = desired()
    other = desired(with_("load_balancers.shop.timeouts", {"client": "1m"}))
    verdict = ROOM.judge_update(other[LB], standing_as(wants[LB]))
    assert verdict is not None
    assert (verdict.action, verdict.impact) == (Action.UPDATE, Impact.RELOAD)
    assert verdict.reason == "defaults: timeout client 30000 -> 60000"


IN_USE = """[NOTICE]   (9) : haproxy version is 2.6.12
[ALERT]    (9) : Binding [haproxy.cfg:20] for frontend http: cannot bind socket (Address already in use)
[ALERT]    (9) : [haproxy.main()] Some protocols failed to start their listeners! Exiting.
"""
UNKNOWN = """[ALERT]    (9) : config : parsing [haproxy.cfg:5] : unknown keyword 'x' in 'backend' section
[ALERT]    (9) : config : Error(s) found in configuration file : haproxy.cfg
[ALERT]    (9) : config : Fatal errors found in configuration.
"""
FATAL = "[ALERT]    (9) : config : Fatal errors found in configuration.\n"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (IN_USE, "Binding [haproxy.cfg:20] for frontend http: cannot bind socket (Address already in use)"),
        (UNKNOWN, "parsing [haproxy.cfg:5] : unknown keyword 'x' in 'backend' section"),
        (FATAL, "Fatal errors found in configuration."),
        ("[WARNING]  (9) : Server web/a is DOWN\n", ""),
    ],
)
def test_haproxys_own_words(log: str, said: str) -> None:
    assert alerts(log.splitlines()) == said
