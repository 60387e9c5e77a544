"""Which step was under way at a time, by the events of an apply."""

from __future__ import annotations

from typing import Literal

from lbkit.base.clock import SystemClock
from lbkit.engine.applying import Event
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.resource import Key
from lbkit.prove.timeline import Timeline


def change(name: str) -> Change:
    return Change(Key("haproxy", name), Action.UPDATE, Impact.HITLESS, "it differs", None, None)


FIRST, SECOND = change("lb-1/shop"), change("lb-2/shop")


def timeline(
    *events: tuple[float, Literal["begin", "step", "carried", "done"], Change, str],
) -> Timeline:
    made = Timeline(SystemClock())
    for at, kind, of, detail in events:
        made.note(Event(kind, of, at, detail), at)
    return made


EVENTS = timeline(
    (1.0, "begin", FIRST, ""),
    (2.0, "step", FIRST, "set server web/web-1 weight 7"),
    (3.0, "step", FIRST, "write haproxy.cfg"),
    (4.0, "carried", FIRST, "2 steps"),
    (5.0, "done", FIRST, "2 steps"),
    (6.0, "begin", SECOND, ""),
    (8.0, "done", SECOND, ""),
)


def test_a_moment_has_the_step_that_was_under_way() -> None:
    assert EVENTS.step(1.2, 1.3) == "`update haproxy lb-1/shop`"
    assert EVENTS.step(2.2, 2.3) == "`set server web/web-1 weight 7` of `update haproxy lb-1/shop`"
    assert EVENTS.step(3.2, 3.3) == "`write haproxy.cfg` of `update haproxy lb-1/shop`"
    assert EVENTS.step(4.2, 4.3) == "`after: 2 steps` of `update haproxy lb-1/shop`"


def test_a_moment_between_says_between_what() -> None:
    assert EVENTS.step(0.1, 0.2) == "none: before the first change"
    assert EVENTS.step(5.1, 5.2) == "none: between `update haproxy lb-1/shop` and `update haproxy lb-2/shop`"
    assert EVENTS.step(9.1, 9.2) == "none: after the last change, `update haproxy lb-2/shop`"
    assert timeline().step(1.0, 2.0) == "none: before the first change"


def test_what_lasts_names_all_that_it_met() -> None:
    both = EVENTS.step(4.5, 7.0)
    assert "lb-1/shop" in both
    assert "lb-2/shop" in both
    many = timeline(*((1.0, "begin", change(f"lb-{number}/shop"), "") for number in range(9)))
    assert many.step(1.0, 2.0).endswith(" and 5 more")


def test_what_it_sees_it_passes_on() -> None:
    seen: list[Event] = []
    made = Timeline(SystemClock())
    event = Event("begin", FIRST, 0.1)
    made.watching(seen.append)(event)
    assert seen == [event]
    now = SystemClock().monotonic()
    assert made.step(now, now) == "`update haproxy lb-1/shop`"
