"""What the watcher does and leaves alone, in a world that is a dictionary, with the clock in the test's hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.engine.agreed import FILE
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.book import Book
from lbkit.engine.change import Change
from lbkit.engine.events import Bell, Events
from lbkit.engine.journal import read_journal
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Scope
from lbkit.watch.alone import Watched, alone
from lbkit.watch.keeping import Keeping, Looked, Terms
from lbkit.watch.telling import Said
from tests.engine.model_room import OWNER, ModelRoom, stand, thing


class HandClock(SystemClock):
    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 31, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class FileRoom(ModelRoom):
    """What shall stand is in the scope, as of a file that is read again. `at`: before each change is carried out."""

    at: Callable[[Change], None] | None = None
    bell: Bell | None = None
    refuse: bool = False
    alarmed: dict[str, str] = field(default_factory=dict)

    def alarms(self, scope: Scope, host: Host) -> dict[str, str]:
        return self.alarmed

    def desired(self, scope: Scope, host: Host) -> list[Desired]:
        return list(scope.resolved["things"])

    def observe(self, scope: Scope, host: Host) -> list[Actual]:
        if self.refuse:
            raise Failure("the world was to be looked at", found="it is dark")
        return list(self.world.values())

    def apply(self, changes, scope, host, done):  # type: ignore[no-untyped-def]
        for change in changes:
            if self.at:
                self.at(change)
            super().apply([change], scope, host, done)

    def events(self, scope: Scope, host: Host) -> dict[str, AbstractContextManager[Events]]:
        bell = self.bell

        @contextmanager
        def listening() -> Iterator[Events]:
            assert bell is not None
            yield bell

        return {self.name: listening()} if bell else {}


@dataclass
class World:
    """A topology's file, what stands, and a person who applies."""

    room: FileRoom
    host: Host
    clock: HandClock
    declared: list[Desired] = field(default_factory=list)
    mistake: bool = False
    said: list[Said] = field(default_factory=list)

    def load(self, _file: object = None) -> Scope:
        if self.mistake:
            raise Mistake("a thing was to have a name", where="shop.yml:3")
        return Scope(OWNER, Path(), "shop.yml", {"things": tuple(self.declared)}, Book())

    def person_applies(self) -> None:
        operate.apply(self.load(), self.host)

    def lose(self, *names: str) -> None:
        for name in names:
            del self.room.world[Key("thing", name)]

    @property
    def standing(self) -> list[str]:
        return sorted(key.name for key in self.room.world)

    def told(self, event: str) -> list[str]:
        found = [said.text for said in self.said if said.event == event]
        self.said[:] = [said for said in self.said if said.event != event]
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Three things are declared; none stands."""
    clock = HandClock()
    room = FileRoom()
    world = World(room, Host(run_dir=tmp_path / "run", clock=clock), clock)
    world.declared = [thing("a"), thing("b"), thing("c", requires=["b"])]
    monkeypatch.setattr(operate, "rooms", lambda: (room,))
    monkeypatch.setattr(operate, "load", world.load)
    return world


@pytest.fixture
def watcher(world: World) -> Iterator[Callable[..., Keeping]]:
    """Starts one; again: after the one before died."""
    begun: list[Keeping] = []

    def start(**terms: object) -> Keeping:
        keeping = Keeping(Path("shop.yml"), Terms(**terms), world.host, world.said.append, chance=lambda: 1.0)  # type: ignore[arg-type]
        begun.append(keeping)
        return keeping

    yield start
    for keeping in begun:
        keeping.close()


Start = Callable[..., Keeping]


def test_what_nobody_applied_is_not_begun_and_that_is_said_once(world: World, watcher: Start) -> None:
    keeping = watcher()
    assert [keeping.look() for _ in range(3)] == [Looked.LEFT] * 3
    assert world.standing == []
    assert len(world.told("idle")) == 1
    world.person_applies()
    world.lose("a")
    assert keeping.look() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_drift_is_repaired_and_the_journal_says_by_whom(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    assert keeping.look() is Looked.WELL
    assert not world.said, "nothing to do is nothing to say"
    world.lose("b", "c")
    assert keeping.look() is Looked.WELL
    assert world.told("change") == ["done: create thing b: new", "done: create thing c: new"]
    assert len(world.told("begin")) == len(world.told("done")) == 1
    records = list(read_journal(world.host.folder(OWNER) / "journal.jsonl"))
    by = [(record.get("by", ""), record.get("name", "")) for record in records if record["event"] == "done"]
    assert by == [("", "a"), ("", "b"), ("", "c"), ("watch", "b"), ("watch", "c")]


def test_an_edited_file_is_kept_up_once_a_person_applied_it_and_not_before(
    world: World, watcher: Start
) -> None:
    world.person_applies()
    keeping = watcher()
    world.declared = [thing("a"), thing("d")]
    world.lose("a")
    assert keeping.look() is Looked.WELL
    keeping.reread()
    assert keeping.look() is Looked.WELL, "as it was applied"
    assert world.standing == ["a", "b", "c"]
    assert "to do: `lbkit apply shop.yml`" in world.told("otherwise")[0]
    world.person_applies()
    assert world.standing == ["a", "d"]
    world.lose("d")
    assert keeping.look() is Looked.WELL
    assert world.standing == ["a", "d"], "it undoes nothing that a person applied"
    assert len(world.told("read")) == 1


def test_started_with_a_file_that_was_not_applied_it_waits_for_that_and_says_so_once(
    world: World, watcher: Start
) -> None:
    world.person_applies()
    applied, world.declared = world.declared, [thing("d")]
    world.lose("a")
    keeping = watcher()
    assert [keeping.look() for _ in range(3)] == [Looked.LEFT] * 3
    assert len(world.told("otherwise")) == 1
    assert world.standing == ["b", "c"]
    world.declared = applied
    assert keeping.look() is Looked.WELL, "it reads again by itself while it has nothing to keep"
    assert world.standing == ["a", "b", "c"]


def test_a_file_with_mistakes_is_said_and_the_last_good_one_is_kept(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    world.mistake = True
    keeping.reread()
    world.lose("a")
    assert [keeping.look() for _ in range(2)] == [Looked.WELL] * 2
    assert world.standing == ["a", "b", "c"]
    (text,) = world.told("unreadable")
    assert "kept up as it was read before" in text
    assert "shop.yml:3" in text


def test_what_a_person_destroyed_stays_destroyed_also_half_way(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    assert keeping.look() is Looked.WELL
    world.room.fail_on = Key("thing", "b")
    with pytest.raises(ApplyFailed):
        operate.destroy(world.load(), world.host)
    half = world.standing
    assert [keeping.look(), watcher().look()] == [Looked.LEFT] * 2
    assert world.standing == half
    world.room.fail_on = None
    operate.destroy(world.load(), world.host)
    assert [keeping.look(), watcher().look()] == [Looked.LEFT] * 2
    assert world.standing == []
    assert not world.host.folder(OWNER).exists(), "nothing is left of it either"


def test_what_a_person_began_is_ended_with_what_goes(world: World, watcher: Start) -> None:
    world.person_applies()
    world.declared = [thing("a"), thing("d")]
    world.room.fail_on = Key("thing", "b")
    with pytest.raises(ApplyFailed):
        world.person_applies()
    assert "b" in world.standing
    world.room.fail_on = None
    keeping = watcher()
    assert keeping.look() is Looked.WELL
    assert world.standing == ["a", "d"]
    world.room.world[Key("thing", "e")] = stand(thing("e"))
    assert keeping.look() is Looked.LEFT, "that apply has ended: nobody agreed to this"


def test_what_bears_our_mark_but_is_not_declared_is_left_to_a_person(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    world.room.world[Key("thing", "e")] = stand(thing("e"))
    world.lose("a")
    assert [keeping.look() for _ in range(3)] == [Looked.LEFT] * 3
    assert world.standing == ["a", "b", "c", "e"], "all else is repaired"
    assert len(world.told("left")) == 1
    world.person_applies()
    assert keeping.look() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_what_is_foreign_is_said_once_and_not_touched(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    theirs = stand(thing("a"), None)
    world.room.world[theirs.key] = theirs
    assert [keeping.look() for _ in range(3)] == [Looked.FAILED] * 3
    (text,) = world.told("failed")
    assert "not made by lbkit" in text
    assert world.room.world[theirs.key] is theirs
    world.lose("a")
    assert keeping.look() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_the_budget_is_of_an_hour_and_a_new_watcher_has_no_more(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher(budget=2)
    for name in ("a", "a"):
        world.lose(name)
        assert keeping.look() is Looked.WELL
    world.lose("a")
    world.clock.seconds += 1800
    assert [keeping.look() for _ in range(3)] == [Looked.LEFT] * 3
    after = watcher(budget=2)
    assert after.look() is Looked.LEFT
    assert world.standing == ["b", "c"]
    assert len(world.told("exhausted")) == 2, "each of the two said it once"
    world.person_applies()
    world.lose("a")
    assert after.look() is Looked.LEFT, "what a person does neither costs nor gives"
    world.clock.seconds += 1801
    assert after.look() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_a_plan_larger_than_what_is_left_is_not_begun_at_all(world: World, watcher: Start) -> None:
    world.person_applies()
    world.lose("a", "b", "c")
    keeping = watcher(budget=2)
    assert [keeping.look() for _ in range(2)] == [Looked.LEFT] * 2
    assert world.standing == []
    (text,) = world.told("exhausted")
    assert "more than ever is" in text
    world.person_applies()
    assert keeping.look() is Looked.WELL
    assert len(world.told("well")) == 1


def test_a_failure_is_told_once_and_tried_again_ever_more_seldom(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher(budget=1000)
    world.lose("a")
    world.room.fail_on = Key("thing", "a")
    tries: list[float] = []
    world.room.at = lambda _change: tries.append(world.clock.seconds)
    while world.clock.seconds < 3000:
        assert keeping.look() is Looked.FAILED
        world.clock.seconds += 1
    assert [b - a for a, b in pairwise(tries)] == [
        5,
        10,
        20,
        40,
        80,
        160,
        320,
        600,
        600,
        600,
    ]
    assert len(world.told("failed")) == 1
    world.lose("b", "c")
    before = len(tries)
    assert keeping.look() is Looked.FAILED
    assert len(tries) > before, "what is new does not wait for what fails"
    world.clock.seconds += 1000
    assert keeping.look() is Looked.FAILED
    assert len(world.told("failed")) == 1, "an hour has passed"
    keeping.reread()
    world.room.fail_on = None
    assert keeping.look() is Looked.WELL, "a person who asks does not wait either"
    assert world.standing == ["a", "b", "c"]


def test_a_look_that_fails_is_told_once_and_that_it_is_over(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    world.room.refuse = True
    assert [keeping.look() for _ in range(3)] == [Looked.FAILED] * 3
    assert len(world.told("failed")) == 1
    world.room.refuse = False
    assert keeping.look() is Looked.WELL
    assert len(world.told("well")) == 1


def test_what_no_apply_mends_is_told_once_and_that_it_is_over(world: World, watcher: Start) -> None:
    world.person_applies()
    keeping = watcher()
    world.room.alarmed = {"mirror debian": "of 2 nodes that must serve 1 are fresh"}
    assert [keeping.look() for _ in range(3)] == [Looked.WELL] * 3
    assert world.told("alarm") == ["mirror debian: of 2 nodes that must serve 1 are fresh"]
    world.room.alarmed = {"mirror debian": "the last run was failed"}
    keeping.look()
    assert world.told("alarm") == ["mirror debian: the last run was failed"]
    world.room.alarmed = {}
    assert [keeping.look() for _ in range(2)] == [Looked.WELL] * 2
    assert world.told("well") == ["mirror debian: no alarm any more"]


def test_where_a_person_applies_it_waits(world: World, watcher: Start) -> None:
    world.person_applies()
    world.lose("a")
    keeping = watcher()
    with locked(world.host.run_dir / f"{OWNER}.lock", world.clock):
        assert [keeping.look() for _ in range(2)] == [Looked.LEFT] * 2
    assert len(world.told("waiting")) == 1
    assert not world.told("begin")
    assert keeping.look() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_a_plan_that_the_world_overtook_is_made_anew(
    world: World, watcher: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.person_applies()
    world.lose("a")
    real = operate.apply

    def overtaken(*given: object, **more: object) -> object:
        monkeypatch.setattr(operate, "apply", real)
        world.lose("c")
        return real(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(operate, "apply", overtaken)
    keeping = watcher()
    assert keeping.look() is Looked.OVERTAKEN
    assert world.standing == ["b"]
    assert keeping.once() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_only_what_was_chosen_is_repaired(world: World, watcher: Start) -> None:
    world.person_applies()
    world.lose("a", "b", "c")
    keeping = watcher(only=("thing/[ac]",))
    assert keeping.look() is Looked.LEFT
    assert world.standing == ["a"], "c stands on b, which is left"
    assert len(world.told("left")) == 1


def test_asked_to_end_it_begins_nothing_more(world: World, watcher: Start) -> None:
    world.person_applies()
    world.lose("b", "c")
    keeping = watcher()
    world.room.at = lambda _change: keeping.stop()
    keeping.run()
    assert world.standing == ["a", "b"], "the step under way is ended"
    world.room.at = None
    assert watcher().look() is Looked.WELL
    assert world.standing == ["a", "b", "c"]


def test_one_watcher_is_enough_and_the_other_is_named(world: World) -> None:
    with alone(OWNER, world.host):
        with pytest.raises(Watched, match="pid"), alone(OWNER, world.host):
            pass
        with alone("other", world.host):
            pass
    with alone(OWNER, world.host):
        pass
    assert not world.host.run_dir.exists()


def test_what_is_heard_ends_the_rest_before_its_time_and_so_does_a_person(world: World) -> None:
    looked = threading.Semaphore(0)
    said: list[Said] = []
    host = Host(run_dir=world.host.run_dir)
    with Bell() as bell:
        world.room.bell = bell
        operate.apply(world.load(), host)
        real = world.room.observe

        def observe(scope: Scope, host: Host) -> list[Actual]:
            looked.release()
            return real(scope, host)

        keeping = Keeping(Path("shop.yml"), Terms(interval=86400), host, said.append)
        world.room.observe = observe  # type: ignore[method-assign]
        thread = threading.Thread(target=keeping.run)
        thread.start()
        assert looked.acquire(timeout=60)
        done = threading.Event()
        world.room.at = lambda _change: done.set()
        world.lose("a")
        bell.ring("domain a stopped")
        assert done.wait(60)
        world.room.at = None
        while looked.acquire(timeout=2):
            pass
        keeping.reread()
        assert looked.acquire(timeout=60)
        keeping.stop()
        thread.join(60)
        assert not thread.is_alive()
        keeping.close()
    assert "(heard: domain a stopped)" in next(line.text for line in said if line.event == "begin")
    assert world.standing == ["a", "b", "c"]


def test_what_was_applied_is_a_wish_and_no_secret(world: World) -> None:
    world.person_applies()
    path = world.host.folder(OWNER) / FILE
    assert path.stat().st_mode & 0o007 == 0
    before = path.read_bytes()
    world.person_applies()
    assert path.read_bytes() == before, "nothing to do, nothing written"
    path.write_text("{}")
    with pytest.raises(Failure, match="applied last"):
        operate.agreed(OWNER, world.host)
    world.person_applies()
    agreed = operate.agreed(OWNER, world.host)
    assert agreed is not None
    assert agreed.ended
    assert agreed.digest == operate.digest(world.load(), world.host)
    world.declared = [*world.declared, thing("d")]
    assert agreed.digest != operate.digest(world.load(), world.host)
