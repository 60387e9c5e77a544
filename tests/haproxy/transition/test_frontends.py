from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from lbkit.haproxy.text.digest import digest_in
from lbkit.haproxy.transition.planner import Way, transition
from lbkit.haproxy.transition.state import Running, Wanted

TEXT = "global\n    description shop\nfrontend http\n    bind :80\n"
WANTED = Wanted(TEXT)
RUNNING = Running(TEXT, alive=True, answers=True, loaded=digest_in(TEXT), version="2.6.12")


def test_a_disabled_frontend_is_enabled() -> None:
    way = transition(replace(RUNNING, shut={"http": "PAUSED"}), WANTED)
    assert (way.way, way.lines) == (Way.RUNTIME, ("enable frontend http",))
    assert way.reason == "frontend http is disabled"


def test_one_that_was_shut_down_gets_its_ports_back_by_a_reload_which_opens_all() -> None:
    way = transition(
        replace(RUNNING, shut={"https": "STOP", "http": "PAUSED"}),
        replace(WANTED, text=TEXT + "frontend https\n    bind :443\n"),
    )
    assert way.way is Way.RELOAD
    assert "frontend https is shut down" in way.reason
    assert not any("enable frontend" in line for line in way.lines)


@pytest.mark.parametrize("by_hand", ["undo", "keep"])
def test_what_was_done_by_hand_may_stay(by_hand: Literal["undo", "keep"]) -> None:
    way = transition(replace(RUNNING, shut={"http": "STOP"}), replace(WANTED, by_hand=by_hand))
    assert way.way is (Way.NOTHING if by_hand == "keep" else Way.RELOAD)
    assert way.kept == (("frontend http is shut down",) if by_hand == "keep" else ())


def test_what_is_declared_no_more_is_none_of_its_business() -> None:
    assert transition(replace(RUNNING, shut={"gone": "PAUSED"}), WANTED).way is Way.NOTHING
