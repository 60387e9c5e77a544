"""Waiting ends when something is heard, from any thread, and a source that fails is no end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lbkit.base.errors import Failure
from lbkit.engine.events import Bell
from lbkit.watch.hearing import Hearing
from lbkit.watch.telling import AGAIN, Tellings

LONG = 60.0  # bounded; what is waited for comes at once


@contextmanager
def ringing(bell: Bell, ended: list[str]) -> Iterator[Bell]:
    try:
        yield bell
    finally:
        bell.close()
        ended.append("closed")


def test_a_bell_rung_by_another_thread_ends_the_wait_with_what_it_was() -> None:
    with Bell() as bell, Hearing(bell) as hearing:
        thread = threading.Thread(target=lambda: [bell.ring("one"), bell.ring("two")])
        thread.start()
        heard = hearing.wait(LONG)
        thread.join()
        heard += hearing.wait(0)
        assert heard == ["one", "two"]
        assert hearing.wait(0) == []
        for _ in range(100_000):
            bell.ring("storm")
        assert len(hearing.wait(0)) == 100, "nobody needs to read a storm"
        assert hearing.wait(0) == []
    bell.ring("nobody listens")


def test_a_room_is_listened_to_once_until_it_fails_and_then_anew() -> None:
    ended: list[str] = []
    with Bell() as own, Hearing(own) as hearing:
        first = Bell()
        assert hearing.listen({"hosts": ringing(first, ended)}) == {}
        assert hearing.listen({"hosts": ringing(own, [])}) == {}, "it is open already"
        first.ring("domain web.lb-1.1 stopped")
        assert hearing.wait(LONG) == ["domain web.lb-1.1 stopped"]
        hearing.drop()
        assert ended == ["closed"]
        broken = Bell()
        hearing.listen({"hosts": ringing(broken, ended)})
        broken.break_off(Failure("events were to be read", found="the other end went away"))
        assert hearing.wait(LONG) == ["hosts tells no more: the other end went away"]
        assert ended == ["closed", "closed"]
        again = Bell()
        hearing.listen({"hosts": ringing(again, ended)})
        again.ring("back")
        assert hearing.wait(LONG) == ["back"]
    assert ended == ["closed", "closed", "closed"]


def test_a_room_that_cannot_tell_is_said_and_the_others_are_heard() -> None:
    @contextmanager
    def refusing() -> Iterator[Bell]:
        if own:
            raise Failure("the host was to be asked", found="no answer")
        yield own

    with Bell() as own, Bell() as bell, Hearing(own) as hearing:
        failed = hearing.listen({"hosts": refusing(), "others": ringing(bell, [])})
        assert [(name, error.found) for name, error in failed.items()] == [("hosts", "no answer")]
        bell.ring("heard")
        assert hearing.wait(LONG) == ["heard"]


def test_the_same_is_told_once_and_then_each_hour_and_news_at_once() -> None:
    tellings = Tellings()
    assert tellings.due("apply", "full", 0)
    assert not tellings.due("apply", "full", AGAIN - 1)
    assert tellings.due("look", "full", 1), "another topic"
    assert tellings.due("apply", "gone", 5)
    assert tellings.due("apply", "gone", 5 + AGAIN)
    assert tellings.over("apply", "budget")
    assert not tellings.over("apply")
    assert tellings.due("apply", "gone", 6 + AGAIN)
