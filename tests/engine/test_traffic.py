"""Rates out of two samples: after a reload, when places come and go, and as many as fit."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from lbkit.engine.traffic import Counters, Flow, Kind, Sample, Traffic, fitting, flows, summed, worst_first


def sample(path: str = "shop/web/web-1", place: str = "lb-1", **changes: Any) -> Sample:
    base = Sample("server", path, place, "42", 10.0, True, "UP", "L7OK 200", 1, 0, 0, Counters())
    return base._replace(**changes)


def flow(path: str, **changes: Any) -> Flow:
    (found,) = flows(Traffic(), Traffic((sample(path),)))
    return found._replace(**changes)


def rates(before: Sample | None, now: Sample) -> Counters | None:
    (found,) = flows(Traffic((before,) if before else ()), Traffic((now,)))
    return found.rates


FIRST = sample(counters=Counters(100, 5000, 9000, 1, 2, 3, 4))


def test_a_rate_is_the_difference_over_the_time_between() -> None:
    later = FIRST._replace(at=12.0, counters=Counters(300, 5000, 10000, 1, 4, 3, 5))
    assert rates(FIRST, later) == Counters(100, 0, 500, 0, 1, 0, 0.5)


def test_counters_that_began_anew_count_from_nothing() -> None:
    """After a reload another worker counts, and an operator may clear the counters of this one."""
    reloaded = FIRST._replace(at=11.0, counted_by="43", counters=Counters(500, 9000, 9000, 9, 9, 9, 9))
    assert rates(FIRST, reloaded) == reloaded.counters
    cleared = FIRST._replace(at=11.0, counters=Counters(200, 10))
    assert rates(FIRST, cleared) == cleared.counters


def test_what_was_not_there_before_has_no_rate_yet() -> None:
    assert rates(None, FIRST) is None
    assert rates(FIRST, FIRST) is None, "no time has passed"
    assert rates(FIRST._replace(place="lb-2"), FIRST) is None
    assert rates(FIRST._replace(kind="backend"), FIRST) is None


counters = st.builds(Counters, *[st.integers(0, 10**12) for _ in Counters._fields])


@given(counters, counters, st.sampled_from(["42", "43"]), st.floats(0.001, 1e6))
def test_no_rate_is_ever_below_none(before: Counters, after: Counters, pid: str, seconds: float) -> None:
    now = FIRST._replace(counted_by=pid, at=10.0 + seconds, counters=after)
    found = rates(FIRST._replace(counters=before), now)
    assert found is not None
    assert all(rate >= 0 for rate in found)


def test_the_places_of_one_thing_are_summed() -> None:
    both = Traffic((FIRST, FIRST._replace(place="lb-2")))
    later = Traffic(
        (
            FIRST._replace(at=11.0, counters=Counters(110, 6000, 9000, 1, 2, 3, 4), sessions=2, queue=1),
            FIRST._replace(
                at=11.0, place="lb-2", counted_by="7", counters=Counters(5), sessions=3,
                up=False, state="DOWN", check="L4CON", weight=10,
            ),
            FIRST._replace(at=11.0, place="lb-3", counters=Counters(1)),
        )
    )  # fmt: skip
    (one,) = summed(flows(both, later))
    assert one.rates == Counters(15, 1000), "lb-3 has just come: nobody knows its rate"
    assert (one.places, one.up, one.good) == (("lb-1", "lb-2", "lb-3"), 2, False)
    assert (one.state, one.check, one.weight) == ("UP/DOWN", "L7OK 200/L4CON", 1)
    assert (one.sessions, one.queue, one.totals.requests) == (5, 1, 116)
    (gone,) = summed(
        flows(later, Traffic((FIRST._replace(at=12.0, counters=Counters(210, 6000, 9000, 1, 2, 3, 4)),)))
    )
    assert gone.rates == Counters(100), "a member that went is no minus"
    assert gone.as_data()["rates"]["requests"] == 100


def test_the_worst_stand_first() -> None:
    every = [
        flow("idle"),
        flow("busy", rates=Counters(50)),
        flow("waits", queue=3, rates=Counters(9)),
        flow("fails", rates=Counters(9, http_5xx=1)),
        flow("half", places=("lb-1", "lb-2"), up=1),
        flow("down", places=("lb-1", "lb-2"), up=0),
        flow("idle too"),
    ]
    assert [each.path for each in worst_first(every)] == [
        "down", "half", "fails", "waits", "busy", "idle", "idle too",
    ]  # fmt: skip


kinds = st.lists(st.sampled_from(get_args(Kind)), max_size=60)


@given(kinds, st.integers(0, 70))
def test_as_many_as_fit_are_shown_and_the_others_counted(some: list[Kind], lines: int) -> None:
    every = [flow(str(number), kind=kind) for number, kind in enumerate(some)]
    shown = fitting(every, lines)
    assert len(shown.flows) == min(lines, len(every))
    assert len(shown.flows) + sum(shown.hidden.values()) == len(every)
    assert [each.kind for each in shown.flows] == sorted(
        (each.kind for each in shown.flows), key=get_args(Kind).index
    )
    servers = sum(each.kind == "server" for each in shown.flows)
    assert servers >= min(some.count("server"), lines - lines // 2)
    assert len(fitting(every, None).flows) == len(every)


def test_what_fits_stands_as_it_is_declared() -> None:
    every = [flow("a"), flow("b", up=0), flow("c")]
    assert [each.path for each in fitting(every, 3).flows] == ["a", "b", "c"]
    assert [each.path for each in fitting(every, 2).flows] == ["b", "a"]
