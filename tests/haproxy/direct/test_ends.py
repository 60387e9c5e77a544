"""How a server's sessions and checks end, in one backend or in all that have it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Failure, Mistake
from lbkit.haproxy.direct.draining import UntilCut, at_its_end
from lbkit.haproxy.direct.looking import Seen
from lbkit.haproxy.direct.planning import Way
from lbkit.haproxy.direct.server import server_way, servers_way
from lbkit.haproxy.direct.together import together
from lbkit.haproxy.direct.wanted import WantedServer
from lbkit.haproxy.runtime.commands.server import set_weight
from lbkit.haproxy.runtime.servers_state import Admin, Check, OpState
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.steps import Do, Step, UntilHeard, UntilIdle, UntilUnchecked, UntilUp
from tests.haproxy.direct.test_server_plans import seen_of

READY = Server("10.0.0.1", 1)
WAITS = {UntilUnchecked: 5.0, UntilHeard: 5.0, UntilUp: 15.0, UntilIdle: 30.0, UntilCut: 2.0}


def having(server: Server = READY, sessions: int = 0, **of_state: Any) -> Seen:
    """A backend web with `server`, a, and another that serves."""
    seen = seen_of({"a": server, "b": READY})
    state = replace(seen.states["web/a"], **of_state)
    return replace(seen, states={**seen.states, "web/a": state}, sessions={"web/a": sessions, "web/b": 9})


def steps_of(wanted: WantedServer, seen: Seen, **more: Any) -> list[str]:
    (change,) = server_way(wanted, seen, "", **more).changes
    return list(change.steps)


CUT = ["shutdown sessions server web/a", "see that no session of web/a is left (2 s at most)"]
WAIT = "wait until requests to web/a have ended (5 s at most)"


def test_sessions_are_cut_at_once_and_told() -> None:
    wanted = WantedServer("web", "a", "maint", cut_sessions=True)
    (change,) = server_way(wanted, having(sessions=3), "").changes
    assert (change.reason, change.impact) == ("state: ready -> maint, cuts 3 sessions", "disruptive")
    assert list(change.steps[-2:]) == CUT
    assert ((change.before or {})["sessions"], (change.after or {})["sessions"]) == (3, 0)
    rests = READY.with_(admin="maint")
    (again,) = server_way(wanted, having(rests, sessions=1), "").changes
    assert (again.reason, list(again.steps)) == ("cuts 1 session", CUT)
    assert not server_way(wanted, having(rests), "").changes
    (quiet,) = server_way(wanted, having(), "").changes  # one may come before it rests
    assert (quiet.reason, quiet.impact, list(quiet.steps[-2:])) == ("state: ready -> maint", "hitless", CUT)


def test_sessions_are_cut_at_the_deadline_alone() -> None:
    for state in ("drain", "maint"):
        wanted = WantedServer("web", "a", state, wait_for_drain=True, drain_timeout=5, on_deadline="cut")
        steps = steps_of(wanted, having(sessions=3))
        assert [line for line in steps if not line.startswith("set ")] == [WAIT, *CUT]
        same = having(READY.with_(admin=state), sessions=2)
        (change,) = server_way(wanted, same, "").changes
        assert change.reason == "cuts what is left of 2 sessions after 5 s"
        assert [line for line in change.steps if not line.startswith("set ")] == [WAIT, *CUT]
        assert not server_way(wanted, same, "", waited=True).changes
        assert not server_way(wanted, having(READY.with_(admin=state)), "").changes


def test_sessions_that_are_there_after_a_cut_fail() -> None:
    row = SimpleNamespace(sessions=2)
    live: Any = SimpleNamespace(rows=lambda: {"web/a": row}, where="here")
    wanted = WantedServer("web", "a", "drain", cut_sessions=True)
    with pytest.raises(Failure, match=r"were to be cut\n.*2 left after 2 s(.|\n)*state: maint"):
        at_its_end(wanted, live, UntilCut(("web/a",), 2.0))
    row.sessions = 0
    at_its_end(wanted, live, UntilCut(("web/a",), 2.0))


def test_a_drain_that_is_done_is_still_waited_for() -> None:
    wanted = WantedServer("web", "a", "drain", wait_for_drain=True, drain_timeout=5)
    found = server_way(wanted, having(READY.with_(admin="drain"), sessions=2), "")
    assert (found.changes, found.steps) == ((), (UntilIdle(("web/a",), 5),))


def test_all_backends_have_one_deadline_and_one_plan() -> None:
    web = having(sessions=1)
    other = Seen(
        "3.0.1",
        "api",
        "roundrobin",
        {"api/a": READY.with_(admin="drain")},
        {"api/a": replace(web.states["web/a"], backend="api")},
        {"api/a": 1},
    )
    wanted = WantedServer(None, "a", "maint", wait_for_drain=True, drain_timeout=5, on_deadline="cut")
    found = servers_way(wanted, [web, other], "")
    assert [change.key.name for change in found.changes] == ["web/a", "api/a"]
    assert [step.servers for step in found.steps if type(step) is UntilIdle] == [("web/a", "api/a")]
    assert [step.servers for step in found.steps if type(step) is UntilCut] == [("web/a", "api/a")]
    assert len(found.notes) == len(set(found.notes)) == 1


def stepped(name: str, kinds: list[Any]) -> Way:
    steps: list[Step] = []
    for count, kind in enumerate(kinds):
        if kind is Do:
            steps.append(Do((set_weight("web", name, count),)))
        else:
            steps.append(kind((f"web/{name}",), WAITS[kind]))
    return Way((), tuple(steps))


def of_server(step: Step, name: str) -> Step | None:
    if isinstance(step, UntilUnchecked | UntilHeard | UntilUp | UntilIdle):
        return replace(step, servers=(name,)) if name in step.servers else None
    assert isinstance(step, Do)
    return step if f" {name} " in str(step.commands[0]) else None


@given(st.lists(st.lists(st.sampled_from([Do, *WAITS]), max_size=5), min_size=1, max_size=3))
def test_each_servers_steps_stay_in_their_order(kinds: list[list[Any]]) -> None:
    ways = [stepped(f"s{index}", each) for index, each in enumerate(kinds)]
    whole = together(ways).steps
    for index, one in enumerate(ways):
        name = f"web/s{index}"
        mine = [found for step in whole if (found := of_server(step, name))]
        assert mine == list(one.steps)


@pytest.mark.parametrize(
    "order", list(permutations([[UntilIdle, UntilCut], [Do, UntilUp, Do, UntilIdle], [UntilIdle]]))
)
def test_nobodys_sessions_are_waited_for_twice(order: tuple[list[Any], ...]) -> None:
    whole = together([stepped(f"s{index}", kinds) for index, kinds in enumerate(order)]).steps
    assert [type(step) for step in whole if not isinstance(step, Do)] == [UntilUp, UntilIdle, UntilCut]


CHECKED = {"check": Check.CONFIGURED | Check.ENABLED}
ASKED = {"agent": Check.CONFIGURED | Check.ENABLED | Check.AGENT}


def test_checks_are_turned_off_and_on() -> None:
    checked = having(READY.with_(checked=True), **CHECKED)
    off = WantedServer("web", "a", check=False)
    assert steps_of(off, checked) == ["disable health web/a"]
    assert not server_way(WantedServer("web", "a", check=True), checked, "").changes
    rests = having(READY.with_(checked=False))
    assert steps_of(WantedServer("web", "a", check=True), rests) == ["enable health web/a"]
    down = replace(
        checked,
        states={**checked.states, "web/a": replace(checked.states["web/a"], op_state=OpState.STOPPED)},
    )
    assert "web/a is down, and stays so while nothing checks it" in server_way(off, down, "").notes


def test_an_agent_is_asked_or_not() -> None:
    agent = READY.with_(weight=None, asked=True)
    asked = having(agent, **ASKED, admin=Admin.FORCED_DRAIN, weight=3)
    off = server_way(WantedServer("web", "a", agent=False), asked, "")
    assert [(change.reason, change.steps) for change in off.changes] == [
        ("agent: yes -> no", ("disable agent web/a",))
    ]
    assert (off.changes[0].after or {})["agent"] is False
    assert (off.changes[0].after or {})["state"] == "drain"
    assert off.notes[:2] == (
        "web/a stays drained, as its agent said last: `state: ready` ends that",
        "web/a keeps weight 3 of 10, as its agent said last",
    )
    assert steps_of(WantedServer("web", "a", "ready", agent=False), asked) == [
        "disable agent web/a",
        "set server web/a state ready",
    ]
    silent = having(agent.with_(asked=False, admin="drain"), agent=Check.CONFIGURED)
    on = server_way(WantedServer("web", "a", agent=True), silent, "")
    assert on.changes[0].steps == ("enable agent web/a",)
    assert on.notes[0] == "web/a is in drain until its agent says `ready`"
    assert not server_way(WantedServer("web", "a", "drain", agent=False), silent, "").changes


@pytest.mark.parametrize("on", [True, False])
def test_checks_that_are_not_there_are_neither_on_nor_off(on: bool) -> None:  # noqa: FBT001
    with pytest.raises(Mistake, match=f"agent checks of web/a .* {'on' if on else 'off'}\n?.*"):
        server_way(WantedServer("web", "a", agent=on), having(), "")
    bare = having(check=Check.NONE)
    with pytest.raises(Mistake, match="made without `check`"):
        server_way(WantedServer("web", "a", check=on), bare, "")
    with pytest.raises(Mistake, match="goes by those of web/b"):
        server_way(WantedServer("web", "a", check=on), replace(bare, tracks={"web/a": "web/b"}), "")


@pytest.mark.parametrize(
    "fields",
    [
        {"cut_sessions": True},
        {"cut_sessions": True, "state": "ready"},
        {"cut_sessions": True, "state": "drain", "wait_for_drain": True},
        {"on_deadline": "cut", "state": "drain"},
        {"wait_for_up": True},
        {"wait_for_up": True, "state": "ready", "up_timeout": 0},
        {"agent": True, "state": "drain"},
        {"agent": True, "state": "maint"},
    ],
)
def test_what_cannot_end_so_is_a_mistake(fields: dict[str, Any]) -> None:
    with pytest.raises(Mistake):
        WantedServer("web", "a", **fields)
