"""Five fields mean what crontab(5) says, on the nights when clocks are changed, too; held against cronsim, which does as Debian's cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.mirror.keeper.cron import Cron

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")]
HALF = ZoneInfo(
    "Australia/Lord_Howe"
)  # its clocks are changed by half an hour: cronsim passes over times of that day
BERLIN = ZONES[1]
moments = st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    pairs = st.tuples(number, number).filter(
        lambda pair: pair[0] != pair[1]
    )  # cronsim reads 3-3/2 as 3-MOST/2
    span = pairs.map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.one_of(st.just("*"), span), st.integers(1, 40)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    return st.one_of(
        st.just("*"), st.lists(st.one_of(number.map(str), span, step), min_size=1, max_size=3).map(",".join)
    )


crons = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(" ".join)


def follow(text: str, since: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    cron, found = Cron.parse(text), []
    for _ in range(count):
        since = cron.after(since, zone)
        found.append(since)
    return found


@given(crons, moments, st.sampled_from(ZONES))
@example("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), BERLIN)
@example("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)
@example("*/20 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)
@example("15,45 * * * *", datetime(2026, 10, 24, 23, tzinfo=UTC), BERLIN)
@example("0 0 13 * 5", datetime(2026, 1, 1, tzinfo=UTC), BERLIN)
@example("0 0 */2 * 1", datetime(2026, 1, 1, tzinfo=UTC), BERLIN)
def test_as_cron_does(text: str, since: datetime, zone: ZoneInfo) -> None:
    theirs = CronSim(text, since.astimezone(zone))
    wanted = [next(theirs).astimezone(UTC) for _ in range(6)]
    # of two that come to the same moment, as the clocks have been put forward, one is meant
    assert follow(text, since, zone, len(set(wanted))) == sorted(set(wanted))


@given(crons, moments, st.sampled_from([*ZONES, HALF]))
def test_it_goes_on_and_never_back(text: str, since: datetime, zone: ZoneInfo) -> None:
    found = [since, *follow(text, since, zone, 4)]
    assert all(before < after for before, after in pairwise(found))
    assert all(each.second == each.microsecond == 0 for each in found[1:])


@pytest.mark.parametrize(
    ("text", "since", "wanted"),
    [
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("30 * * * *", "2026-10-25T00:00", ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]),
        ("0 4 1,15 * mon", "2026-11-01T12:00", ["2026-11-02T04:00+01:00", "2026-11-09T04:00+01:00"]),
        ("0 4 29 FEB *", "2026-01-01T00:00", ["2028-02-29T04:00+01:00", "2032-02-29T04:00+01:00"]),
        ("5 4 * jan-mar sun", "2026-03-30T00:00", ["2027-01-03T04:05+01:00"]),
        ("5 4 * * 7", "2026-03-30T00:00", ["2026-04-05T04:05+02:00"]),
        # crontab(5): a step goes "through the range", and this one has one day; cronsim takes it for 0-7
        ("5 4 * * 0-0/1", "2026-03-30T00:00", ["2026-04-05T04:05+02:00", "2026-04-12T04:05+02:00"]),
    ],
)
def test_it_comes_when_a_person_would_say(text: str, since: str, wanted: list[str]) -> None:
    begin = datetime.fromisoformat(since).replace(tzinfo=UTC)
    assert follow(text, begin, BERLIN, len(wanted)) == [datetime.fromisoformat(each) for each in wanted]


def test_a_day_of_half_an_hour_less_has_its_times() -> None:
    found = follow("0 */12 1 10 *", datetime(2028, 9, 1, tzinfo=UTC), HALF, 2)
    assert [each.astimezone(HALF).isoformat() for each in found] == [
        "2028-10-01T00:00:00+10:30",
        "2028-10-01T12:00:00+11:00",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("@daily", "1 fields"),
        ("0 0 * * * root", "6 fields"),
        ("60 * * * *", "'60' as the minute"),
        ("* 24 * * *", "'24' as the hour"),
        ("* * 0 * *", "'0' as the day of the month"),
        ("* * * 13 *", "'13' as the month"),
        ("* * * * 8", "'8' as the day of the week"),
        ("* * * * foo", "'FOO' as the day of the week"),
        ("*/0 * * * *", "'*/0' as the minute"),
        ("5/10 * * * *", "'5/10' as the minute"),
        ("9-3 * * * *", "'9-3' as the minute"),
        ("1,,2 * * * *", "'' as the minute"),
        ("-1 * * * *", "'-1' as the minute"),
        ("0 0 31 2 *", "no such day"),
        ("٣ * * * *", "as the minute"),
    ],
)
def test_what_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(Mistake) as caught:
        Cron.parse(text)
    assert words in caught.value.found


@given(st.text(max_size=30))
def test_any_text_is_one_or_none(text: str) -> None:
    try:
        cron = Cron.parse(text)
    except Mistake:
        return
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert now < cron.after(now, UTC) < now + timedelta(days=29 * 366)
