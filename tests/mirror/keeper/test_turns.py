"""Runs follow one another; no push is lost, and what failed is tried again, later each time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.mirror.keeper.schedule import Schedule, Window
from lbkit.mirror.keeper.turns import LONGEST_PAUSE, Asked, Turns
from lbkit.mirror.sync.runs import Came, Run, Runs
from tests.clocks import HandClock
from tests.machine.world import until

HOUR = timedelta(hours=1)


class World:
    def __init__(self, folder: Path, *, schedule: Schedule | None = None) -> None:
        self.clock = HandClock()
        self.runs = Runs(folder, self.clock)
        self.comes: Came = "made"
        self.turns = Turns("debian", self.runs, self.sync, schedule, self.clock)

    def sync(self, cause: str) -> Run:
        run = self.runs.begin(cause, 0)
        self.clock.sleep(60)
        return self.runs.end(run, self.comes)

    def due(self) -> tuple[str, float | None]:
        """The cause, and in how many minutes."""
        cause, due = self.turns.next(self.clock.now())
        return cause, None if due is None else (due - self.clock.now()).total_seconds() / 60


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, schedule=Schedule(6 * HOUR))


def test_on_schedule_one_after_the_other(world: World) -> None:
    assert world.due() == ("schedule", 0)
    world.turns._take("schedule")
    assert world.due() == ("schedule", 359)


def test_without_a_schedule_only_who_pushes(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.due() == ("schedule", None)
    world.turns.push()
    assert world.due() == ("push", 0)
    world.turns._take("push")
    assert world.due() == ("schedule", None)


def test_what_failed_is_tried_again_later_each_time(world: World) -> None:
    world.comes = "failed"
    pauses = []
    for _ in range(9):
        world.turns._take("schedule")
        cause, minutes = world.due()
        assert cause == "retry" or minutes == LONGEST_PAUSE.total_seconds() / 60
        pauses.append(minutes)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    world.comes = "nothing"
    world.turns._take("retry")
    assert world.due() == ("schedule", 359)
    world.comes = "partial"
    world.turns._take("schedule")
    assert world.due() == ("retry", 1), "it counts anew"


@pytest.mark.parametrize(
    ("cause", "came", "minutes"),
    [
        ("schedule", "failed", 18 * 60 - 0.5),
        ("retry", "killed", 18 * 60 - 0.5),
        ("schedule", "paused", 18 * 60 - 0.5),
        ("push", "failed", 1),
        ("person", "partial", 1),
    ],
)
def test_what_nobody_asked_for_is_tried_again_in_the_window(
    tmp_path: Path, cause: str, came: Came, minutes: float
) -> None:
    world = World(tmp_path, schedule=Schedule(240 * HOUR, Window(clock_time(1), clock_time(7))))
    world.clock.seconds = 6 * 3600 + 59.5 * 60  # and it takes a minute
    world.comes = came
    world.turns._take(cause)
    assert world.due() == ("retry", minutes)


def test_what_paused_goes_on_as_soon_as_it_may(tmp_path: Path) -> None:
    world = World(tmp_path, schedule=Schedule(240 * HOUR))
    world.comes = "paused"
    for _ in range(3):
        world.turns._take("schedule")
        assert world.due() == ("retry", 0)


def test_what_waits_for_a_person_is_not_tried_again(world: World) -> None:
    world.comes = "held"
    world.turns._take("schedule")
    assert world.due() == ("schedule", 359)


@pytest.mark.parametrize("came", ["made", "failed", "paused"])
def test_a_clock_that_was_years_ahead_stops_nothing(world: World, came: Came) -> None:
    world.clock.seconds = 40 * 365 * 86_400
    world.comes = came
    world.turns._take("schedule")
    world.clock.seconds = 0
    assert world.due()[1] == 0, "it is set right: one at once"
    world.comes = "made"
    for _ in range(3):
        world.turns._take("schedule")
        assert world.due() == ("schedule", 359), "and on from there"


def test_a_push_during_a_run_makes_one_more(world: World) -> None:
    taken = world.sync

    def pushed(cause: str) -> Run:
        run = taken(cause)
        for _ in range(3):
            world.turns.push()
        return run

    world.turns.sync = pushed
    world.turns._take("schedule")
    assert world.due() == ("push", 0)
    world.turns.sync = taken
    world.turns._take("push")
    assert world.due()[0] == "schedule", "one for all three"


def test_a_push_outlives_the_one_who_got_it(world: World, tmp_path: Path) -> None:
    world.turns._take("schedule")
    world.turns.push()
    again = World(tmp_path, schedule=Schedule(6 * HOUR))
    assert again.due() == ("push", 0)
    run = again.runs.begin("push", 0)
    killed = World(tmp_path, schedule=Schedule(6 * HOUR))
    assert [each.id for each in killed.runs.settle()] == [run.id]
    assert killed.due() == ("push", 0), "the run that it was for never ended"


def test_pushes_of_many_at_once_are_all_counted(tmp_path: Path) -> None:
    runs = Runs(tmp_path, SystemClock())
    threads = [threading.Thread(target=lambda: [runs.want() for _ in range(20)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs.wanted() == 100


def test_it_runs_as_it_is_pushed_and_ends_when_it_is_told(tmp_path: Path) -> None:
    """In real time: after every push a run begins that ends, and there are never two at a time."""
    clock = SystemClock()
    runs = Runs(tmp_path, clock)
    under_way = 0
    most = 0

    def sync(cause: str) -> Run:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        run = runs.begin(cause, 0)
        time.sleep(0.005)
        under_way -= 1
        return runs.end(run, "nothing")

    turns = Turns("debian", runs, sync, None, clock)
    thread = threading.Thread(target=turns.run)
    thread.start()
    pushed = []
    for _ in range(30):
        pushed.append(datetime.now(UTC).timestamp())
        turns.push()
        time.sleep(0.003)
    until(lambda: runs.taken() == 30, "all were had")
    turns.stop()
    thread.join()
    assert most == 1
    begun = [run.began for run in runs.all()]
    assert max(begun) >= max(pushed)


def test_a_disk_that_is_full_ends_nothing(tmp_path: Path) -> None:
    said: list[str] = []

    def sync(_cause: str) -> Run:
        turns.stop()
        raise Failure("a file was to be written", found="No space left on device")

    turns = Turns("debian", Runs(tmp_path, SystemClock()), sync, None, SystemClock(), said.append)
    turns.push()
    turns._take("push")
    assert "No space left" in said[0]
    assert turns.next(SystemClock().now())[0] == "push", "the push is still to be had"


def test_what_is_asked_for_is_next_and_a_hold_leaves_the_rest(world: World) -> None:
    held = True
    world.turns.held = lambda: held
    world.turns.push()
    assert world.due() == ("person", None)
    asked = world.turns.ask(Asked("rollback", lambda: world.sync("rollback")))
    assert (world.due(), world.turns.waiting) == (("rollback", 0), 1)
    with pytest.raises(Failure, match="the keeper ends"):
        asked.came()
    world.turns._give(world.turns._asked.popleft())
    assert (asked.came().cause, world.due()) == ("rollback", ("person", None)), "what was pushed still waits"
    held = False
    assert world.due() == ("push", 0)
    world.turns._give(Asked("person", lambda: world.sync("person"), all_pushed=True))
    assert world.due()[0] == "schedule", "and a person's sync has it"


def test_who_writes_alone_is_waited_for(tmp_path: Path) -> None:
    runs = Runs(tmp_path, SystemClock())
    turns = Turns("debian", runs, lambda cause: runs.end(runs.begin(cause, 0), "made"), None, SystemClock())
    threading.Thread(target=turns.run, daemon=True).start()
    with turns.alone:
        turns.push()
        asked = turns.ask(Asked("person", lambda: runs.end(runs.begin("person", 0), "made")))
        assert not asked.done.wait(0.05)
        assert [*runs.all()] == []
    assert asked.done.wait(30)
    until(lambda: runs.taken() == 1, "and the push")
    turns.stop()


def test_what_could_not_be_written_is_told_to_who_asked(tmp_path: Path) -> None:
    def full() -> Run:
        raise Failure("a file was to be written", found="No space left on device")

    turns = Turns("debian", Runs(tmp_path, SystemClock()), lambda _cause: full(), None, SystemClock())
    asked = Asked("person", full)
    turns._give(asked)
    with pytest.raises(Failure, match="No space left"):
        asked.came()
    assert turns.running is None
    assert "No space left" in turns.trouble, (
        "a run that leaves no evidence is told of until there is one that does"
    )
    runs = turns.runs
    turns._give(Asked("person", lambda: runs.end(runs.begin("person", 0), "nothing")))
    assert turns.trouble == ""
