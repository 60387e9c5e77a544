"""A sync is due when it was declared to be, in the time of day that it may begin, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.mirror.keeper.cron import Cron
from lbkit.mirror.keeper.schedule import Schedule, Window

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(time(1), time(7))
times = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
windows = st.builds(Window, st.times(), st.times()).filter(lambda window: window.since != window.until)


def at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def test_the_first_is_due_at_once_and_the_next_after_so_long() -> None:
    schedule = Schedule(6 * HOUR)
    assert schedule.due("debian", None, at("2026-11-22T10:00")) == at("2026-11-22T10:00")
    assert schedule.due("debian", at("2026-11-22T10:00"), at("2026-11-22T10:01")) == at("2026-11-22T16:00")
    assert schedule.due("debian", at("2026-11-20T10:00"), at("2026-11-22T10:01")) == at("2026-11-20T16:00"), (
        "overdue"
    )


@pytest.mark.parametrize(
    ("last", "due"),
    [
        ("2026-11-22T01:30", "2026-11-23T01:00"),
        ("2026-11-22T00:30", "2026-11-22T06:30"),
        ("2026-11-22T01:00", "2026-11-23T01:00"),
        ("2026-11-21T20:00", "2026-11-22T02:00"),
    ],
)
def test_it_waits_for_its_window(last: str, due: str) -> None:
    assert Schedule(6 * HOUR, NIGHT).due("debian", at(last), at(last)) == at(due)


def test_a_window_may_go_over_midnight() -> None:
    schedule = Schedule(HOUR, Window(time(22), time(4)))
    assert schedule.due("debian", at("2026-11-22T21:30"), at("2026-11-22T21:30")) == at("2026-11-22T22:30")
    assert schedule.due("debian", at("2026-11-22T03:30"), at("2026-11-22T03:30")) == at("2026-11-22T22:00")


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (
            "2026-03-28T20:00+01:00",
            "2026-03-29T03:00+02:00",
        ),  # 02:30 is left out that night: the window opens at 03:00
        ("2026-10-24T20:00+02:00", "2026-10-25T02:30+02:00"),  # 02:30 comes twice: the first
    ],
)
def test_the_nights_when_clocks_are_changed_have_a_window_too(last: str, due: str) -> None:
    found = Schedule(HOUR, Window(time(2, 30), time(5)), zone=BERLIN).due("debian", at(last), at(last))
    wanted = at(due)
    assert abs(found - wanted) <= HOUR / 2
    assert Window(time(2, 30), time(5)).has(found.astimezone(BERLIN).time())


@given(
    windows,
    times,
    st.timedeltas(timedelta(minutes=1), timedelta(days=9)),
    st.timedeltas(timedelta(0), 2 * HOUR),
)
def test_it_is_never_early_and_always_in_its_window(
    window: Window, last: datetime, every: timedelta, jitter: timedelta
) -> None:
    schedule = Schedule(every, window, jitter, BERLIN)
    due = schedule.due("debian", last, last)
    assert due >= last + every
    assert due - last - every <= jitter + timedelta(days=2)
    assert window.has(due.astimezone(BERLIN).time()) or (
        due.astimezone(BERLIN).utcoffset() != last.astimezone(BERLIN).utcoffset()
    )
    assert schedule.due("debian", last, last) == due


def test_mirrors_do_not_all_begin_at_once() -> None:
    schedule = Schedule(HOUR, jitter=timedelta(minutes=10))
    last = at("2026-11-22T10:00")
    late = {schedule.due(f"m{number}", last, last) - last - HOUR for number in range(50)}
    assert len(late) == 50
    assert timedelta(0) <= min(late) <= max(late) <= timedelta(minutes=10)


@given(windows, times)
def test_a_window_that_is_open_closes_when_it_says(window: Window, now: datetime) -> None:
    schedule = Schedule(HOUR, window, zone=BERLIN)
    closes = schedule.closes(now)
    local = now.astimezone(BERLIN)
    assert (closes is None) == (not window.has(local.time()))
    if closes is None:
        assert schedule.allowed(now) > now
        return
    assert now < closes <= now + timedelta(hours=25)
    if closes.astimezone(BERLIN).utcoffset() == local.utcoffset():
        assert closes.astimezone(BERLIN).time() == window.until
        assert not window.has(closes.astimezone(BERLIN).time())
    assert schedule.allowed(now) == now


def test_no_window_never_closes() -> None:
    assert Schedule(HOUR).closes(at("2026-11-22T10:00")) is None


def test_a_window_closes_in_the_hour_that_comes_twice() -> None:
    schedule = Schedule(HOUR, Window(time(1), time(2, 30)), zone=BERLIN)
    assert schedule.closes(at("2026-10-25T02:10+02:00")) == at("2026-10-25T02:30+02:00")
    assert schedule.closes(at("2026-10-25T02:10+01:00")) == at("2026-10-25T02:30+01:00")


def test_times_of_a_clock_are_due_once_however_many_were_missed() -> None:
    schedule = Schedule(Cron.parse("30 3 * * *"), jitter=timedelta(minutes=5), zone=BERLIN)
    assert schedule.due("debian", None, at("2026-11-22T10:00")) == at("2026-11-22T10:00")
    due = schedule.due("debian", at("2026-11-19T10:00"), at("2026-11-22T10:00"))
    assert at("2026-11-20T03:30+01:00") <= due <= at("2026-11-20T03:35+01:00"), "overdue: at once"
    due = schedule.due("debian", at("2026-11-22T10:00"), at("2026-11-22T10:01"))
    assert at("2026-11-23T03:30+01:00") <= due <= at("2026-11-23T03:35+01:00")


def test_times_of_a_clock_wait_for_the_window_too() -> None:
    schedule = Schedule(Cron.parse("0 */6 * * *"), NIGHT)
    assert schedule.due("debian", at("2026-11-22T06:30"), at("2026-11-22T06:30")) == at("2026-11-23T01:00")
