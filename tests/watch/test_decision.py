"""What is begun now, and what waits: whatever the plan, the budget, the failures and the clock."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.watch.decision import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    WINDOW,
    Begin,
    Exhausted,
    Now,
    Pause,
    Tried,
    counting,
    decide,
    failed,
    spent_of,
    work,
)
from tests.engine.model_room import thing

WALL = 1.9e9


def plan_of(*names: str) -> Plan:
    return Plan(
        "shop",
        tuple(
            Change(want.key, Action.CREATE, Impact.NONE, "new", want, None)
            for want in (thing(name) for name in names)
        ),
    )


plans = st.integers(1, 30).map(lambda count: plan_of(*(f"t{number}" for number in range(count))))
times = st.lists(st.floats(-2 * WINDOW, 2 * WINDOW).map(lambda ago: WALL - ago), max_size=40)
budgets = st.integers(0, 30)


@given(plans, budgets, times)
def test_in_no_hour_more_is_begun_than_the_budget_has(plan: Plan, budget: int, spent: list[float]) -> None:
    decided = decide(plan, budget=budget, spent=spent, tried=None, now=Now(WALL, 0))
    used = [time for time in spent if abs(WALL - time) < WINDOW]
    if isinstance(decided, Begin):
        assert len(used) + len(plan.changes) <= budget
    else:
        assert isinstance(decided, Exhausted)
        assert len(used) + len(plan.changes) > budget
        assert decided.left == max(0, budget - len(used))


@given(plans, budgets, times)
def test_what_waits_for_the_budget_is_begun_at_the_time_that_was_told_and_not_before(
    plan: Plan, budget: int, spent: list[float]
) -> None:
    spent = [time for time in spent if time <= WALL]
    decided = decide(plan, budget=budget, spent=spent, tried=None, now=Now(WALL, 0))
    if not isinstance(decided, Exhausted):
        return
    if decided.until is None:
        assert len(plan.changes) > budget, "only what is larger than the whole budget waits for a person"
        return
    assert WALL < decided.until <= WALL + WINDOW
    assert isinstance(decide(plan, budget=budget, spent=spent, tried=None, now=Now(decided.until, 0)), Begin)
    before = Now(decided.until - 0.01, 0)
    if before.wall > WALL:
        assert isinstance(decide(plan, budget=budget, spent=spent, tried=None, now=before), Exhausted)


@given(st.floats(0, 1e6), st.floats(0, 1e6), plans, plans)
def test_after_a_failure_the_same_work_waits_and_other_work_does_not(
    again: float, ticks: float, plan: Plan, before: Plan
) -> None:
    tried = Tried("no space", 1, again, work(before))
    decided = decide(plan, budget=100, spent=(), tried=tried, now=Now(WALL, ticks))
    waits = ticks < again and work(plan) <= work(before)
    assert decided == (Pause(again) if waits else Begin())


@given(st.lists(st.tuples(st.sampled_from(["full", "gone"]), st.floats(0, 1)), min_size=1, max_size=60))
def test_pauses_grow_with_the_same_failure_within_their_bounds(failures: list[tuple[str, float]]) -> None:
    tried: Tried | None = None
    for cause, chance in failures:
        before, tried = tried, failed(cause, plan_of("a"), tried, ticks=100, chance=chance)
        pause = tried.again - 100
        assert FIRST_PAUSE / 2 <= pause <= LONGEST_PAUSE
        if before is None or before.cause != cause:
            assert tried.times == 1
            assert pause <= FIRST_PAUSE
        else:
            assert tried.times == before.times + 1
            assert pause >= min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tried.times - 1)) / 2


@given(times)
def test_what_counts_is_of_the_last_hour_and_in_order(spent: list[float]) -> None:
    counted = counting(spent, WALL)
    assert counted == sorted(counted)
    assert counting(counted, WALL) == counted
    assert counting(spent, WALL + 4 * WINDOW) == []


def test_the_journal_tells_what_was_begun_and_by_whom() -> None:
    time = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
    begun = {"event": "begin", "by": "watch", "time": time.isoformat()}
    records = [begun, {**begun, "by": "other"}, {**begun, "event": "done"}, {**begun, "time": "noon"}]
    records += [{"event": "begin", "time": time.isoformat()}, {"event": "begin", "by": "watch"}]
    assert spent_of(records, "watch") == [time.timestamp()]
