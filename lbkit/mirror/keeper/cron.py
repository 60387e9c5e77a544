"""Times in five fields, as crontab(5) of Debian and of the BSDs reads them: minute, hour, day of the month, month, day of the week.

A day is meant that both fields of days match where one of them begins with a star, else one that either matches. What has plain hours
and minutes comes once a day when clocks are changed, too: what the clocks leave out when they have been put forward, what comes
twice the first time. What has a star there follows the clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from lbkit.base.errors import Mistake

_DAY = timedelta(days=1)
_CHANGE = timedelta(hours=4)  # more than clocks are ever put back by
_YEARS = 28  # after which days of the week are the same again: a 29 February on a Monday is among them
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_TERM = re.compile(
    r"(?:\*|(?P<since>[0-9]{1,2}|[A-Z]{3})(?:-(?P<until>[0-9]{1,2}|[A-Z]{3}))?)(?:/(?P<step>[0-9]{1,2}))?"
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("", *_MONTHS)),
    _Field("day of the week", 0, 7, tuple(_WEEKDAYS)),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """`weekdays` are of 1 (Monday) to 7. `both` fields of days must match, or either. `fixed`: no star in hours and minutes."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool
    fixed: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Mistake where it is none, or no time is ever meant."""
        words = text.upper().split()
        if len(words) != len(_FIELDS):
            raise _mistake(text, f"{len(words)} fields")
        minutes, hours, days, months, weekdays = (
            _values(word, kind, text) for word, kind in zip(words, _FIELDS, strict=True)
        )
        found = cls(
            tuple(sorted(minutes)),
            tuple(sorted(hours)),
            frozenset(days),
            frozenset(months),
            frozenset(day or 7 for day in weekdays),
            words[2].startswith("*") or words[4].startswith("*"),
            not words[0].startswith("*") and not words[1].startswith("*"),
        )
        if next(found._dates(date(2000, 1, 1)), None) is None:
            raise _mistake(text, "no such day ever comes")
        return found

    def after(self, at: datetime, zone: tzinfo) -> datetime:
        """The first time after that moment, in UTC."""
        local = at.astimezone(zone).replace(tzinfo=None)
        # from the day before: a night without its last hour goes on the next day
        for day in self._dates(local.date() - _DAY):
            found: datetime | None = None
            for each in self._moments(day, zone, local - _CHANGE):
                if each > at and (found is None or each < found):
                    found = each
                elif found is not None and each > found + _CHANGE:
                    break
            if found is not None:
                return found
        raise _mistake(str(self), "no such day comes any more")  # the end of all dates

    def _dates(self, since: date) -> Iterator[date]:
        day = since
        for _ in range(_YEARS * 366):
            if day.month in self.months and self._is_meant(day):
                yield day
            if day == date.max:
                return
            day += _DAY

    def _is_meant(self, day: date) -> bool:
        of_month, of_week = day.day in self.days, day.isoweekday() in self.weekdays
        return (of_month and of_week) if self.both else (of_month or of_week)

    def _moments(self, day: date, zone: tzinfo, since: datetime) -> Iterator[datetime]:
        """Those of hours that begin after `since`, a local time; nearly in their order."""
        for hour in self.hours:
            if datetime.combine(day, time(hour)) < since:
                continue
            for minute in self.minutes:
                local = datetime.combine(day, time(hour, minute), zone)
                first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
                if first.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
                    if self.fixed:
                        yield _changed(second, first, zone)
                    continue
                yield first
                if second != first and not self.fixed:
                    yield second


def _changed(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The moment between those two when the clocks were put forward."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def _values(word: str, kind: _Field, text: str) -> set[int]:
    found: set[int] = set()
    for term in word.split(","):
        match = _TERM.fullmatch(term)
        if match is None or (match["step"] is not None and "*" not in term and match["until"] is None):
            raise _mistake(text, f"{term!r} as the {kind.name}")
        since, until = kind.least, kind.most
        if match["since"] is not None:
            since = until = _value(match["since"], kind, text)
        if match["until"] is not None:
            until = _value(match["until"], kind, text)
        step = int(match["step"] or 1)
        if until < since or step == 0:
            raise _mistake(text, f"{term!r} as the {kind.name}")
        found.update(range(since, until + 1, step))
    return found


def _value(word: str, kind: _Field, text: str) -> int:
    if word.isdigit():
        number = int(word)
    elif word in kind.names:
        number = kind.names.index(word)
    else:
        number = -1
    if not kind.least <= number <= kind.most:
        raise _mistake(text, f"{word!r} as the {kind.name}")
    return number


def _mistake(text: str, found: str) -> Mistake:
    return Mistake(
        "a schedule was to be five fields, as in crontab(5)",
        found=f"{found}, in {text[:200]!r}",
        remedy='as in `cron: "30 3 * * mon-fri"`: at 03:30 from Monday to Friday',
    )
