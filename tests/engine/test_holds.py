"""Holds as data: whole or refused, in force until their time is up, and told in the plan."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Failure, Mistake
from lbkit.engine.holds import FILE, Hold, Holds, new_hold, read_holds, write_holds

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def held(path: str = "shop/web/web-3", until: datetime | None = NOW + HOUR, reason: str = "disk") -> Hold:
    return new_hold(path, reason=reason, by="root", now=NOW, until=until)


def test_a_hold_lasts_until_its_time_and_without_one_until_released(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    assert read_holds(folder, NOW) == Holds()
    ends, stays = held(), held("shop/web/web-1", until=None)
    write_holds(folder, Holds().with_(ends).with_(stays))
    assert read_holds(folder, NOW) == Holds({"shop/web/web-1": stays, "shop/web/web-3": ends})
    late = read_holds(folder, NOW + HOUR)
    assert late == Holds({"shop/web/web-1": stays}, {"shop/web/web-3": ends})
    write_holds(folder, late)
    assert read_holds(folder, NOW + HOUR) == late, "an expired one is known until an apply has let go of it"
    write_holds(folder, Holds(late.in_force))
    assert read_holds(folder, NOW) == Holds({"shop/web/web-1": stays})
    assert (folder / FILE).stat().st_mode & 0o007 == 0


paths = st.from_regex(r"[a-z]{1,3}/[a-z]{1,3}/[a-z]{1,3}", fullmatch=True)
reasons = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable() and text.strip())


@given(st.dictionaries(paths, st.tuples(reasons, st.none() | st.integers(1, 10**6)), max_size=6), paths)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, given_: dict[str, tuple[str, int | None]], other: str
) -> None:
    folder = tmp_path_factory.mktemp("holds")
    holds = Holds()
    for path, (reason, ahead) in given_.items():
        until = None if ahead is None else NOW + timedelta(seconds=ahead)
        holds = holds.with_(held(path, until, reason))
    write_holds(folder, holds)
    assert read_holds(folder, NOW) == holds
    once = holds.with_(held(other))
    assert once.in_force[other] == held(other)
    assert other not in once.without(other).in_force
    assert {**once.without(other).in_force} == {**holds.without(other).in_force}


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "7", '{"schema": "lbkit.held/2", "holds": []}', '{"schema": "lbkit.held/1"}',
        '{"schema": "lbkit.held/1", "holds": [{"path": "a/b/c"}]}',
        '{"schema": "lbkit.held/1", "holds": [7]}',
        json.dumps({"schema": "lbkit.held/1", "holds": [{**held().as_data(), "until": "soon"}]}),
        json.dumps({"schema": "lbkit.held/1", "holds": [{**held().as_data(), "until": "2030-01-01T00:00"}]}),
        json.dumps({"schema": "lbkit.held/1", "holds": [{**held().as_data(), "path": ["a"]}]}),
        json.dumps({"schema": "lbkit.held/1", "holds": [{**held().as_data(), "reason": "a\nb"}]}),
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_broken_file_is_a_failure_that_names_it(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(Failure, match=str(tmp_path / FILE)):
        read_holds(tmp_path, NOW)


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "\x1b[31m", "\udce4", "x" * 501])
def test_a_reason_is_one_line(reason: str) -> None:
    with pytest.raises(Mistake, match="one line"):
        held(reason=reason)


@pytest.mark.parametrize("until", [NOW, NOW - HOUR])
def test_a_hold_ends_in_the_future(until: datetime) -> None:
    with pytest.raises(Mistake, match="in the future"):
        held(until=until)


def test_a_time_has_its_zone_and_a_person_a_name() -> None:
    with pytest.raises(Mistake, match="time zone"):
        held(until=datetime(2030, 2, 1))  # noqa: DTZ001 - the mistake
    with pytest.raises(Mistake, match="name"):
        new_hold("a/b/c", reason="disk", by="ro\not", now=NOW, until=None)


def test_the_plan_tells_of_each_in_words_that_time_alone_does_not_change() -> None:
    gone = held("shop/web/gone", until=None)
    holds = Holds(
        {"shop/web/web-3": held(), "shop/web/gone": gone}, {"shop/web/web-1": held("shop/web/web-1")}
    )
    assert list(holds.notes(["shop/web/web-1", "shop/web/web-3"])) == [
        "shop/web/web-3 is held by root until 2030-01-31 13:00:00 UTC: disk",
        (
            "shop/web/gone is held by root until it is released: disk; it is not declared: "
            "`lbkit release shop/web/gone` forgets it"
        ),
        "shop/web/web-1 was held until 2030-01-31 13:00:00 UTC (disk), and is no longer",
    ]
    many = Holds({f"a/b/{number}": held(f"a/b/{number}") for number in range(10_000)})
    (*_, last) = many.notes(many.in_force)
    assert last == "9990 more holds: `lbkit hold --list` has them all"
