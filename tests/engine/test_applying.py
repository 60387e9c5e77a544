from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.applying import ApplyFailed, Event, NotAsPlanned, Several, carry_out, in_turn, one_by_one
from lbkit.engine.change import Action, Change, Impact, plain
from lbkit.engine.journal import Journal, read_journal
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Key

from .model_room import ModelRoom, room, scope, stand, thing

A, B, C = thing("a"), thing("b", requires=["a"]), thing("c", requires=["b"])


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "shop" / "journal.jsonl", Host().clock)


def run(model: ModelRoom, journal: Journal, watch=lambda _event: None):
    plan = make_plan([model], scope(), Host())
    return carry_out(plan, [model], scope(), Host(), journal=journal, watch=watch)


def test_changes_are_carried_out_in_order_and_told(journal) -> None:
    events: list[Event] = []
    result = run(room(C, B, A), journal, events.append)
    assert [change.key.name for change in result.done] == ["a", "b", "c"]
    assert result.not_done == ()
    assert [(event.kind, event.change.key.name) for event in events] == [
        (kind, name) for name in "abc" for kind in ("begin", "carried", "done")
    ]


def test_what_is_executed_is_journalled_and_equals_the_plan(journal) -> None:
    model = room(A, B, C)
    plan = make_plan([model], scope(), Host())
    carry_out(plan, [model], scope(), Host(), journal=journal)
    records = list(read_journal(journal.path))
    executed = [(r["kind"], r["name"], r["action"]) for r in records if r["event"] == "done"]
    assert executed == [(c.key.kind, c.key.name, str(c.action)) for c in plan.changes]
    assert [r["event"] for r in records] == ["start", *["begin", "done"] * 3, "end"]
    assert records[2]["executed"] == "did create"


def test_it_stops_at_the_first_failure_and_says_what_was_done_and_what_not(journal) -> None:
    model = room(A, B, C)
    model.fail_on = B.key
    with pytest.raises(ApplyFailed) as caught:
        run(model, journal)
    error = caught.value
    assert [change.key for change in error.result.done] == [A.key]
    assert [change.key for change in error.result.not_done] == [B.key, C.key]
    assert "create thing b" in error.wanted
    assert error.found == "no more room"
    assert "1 of 3 changes are done" in error.remedy
    assert list(read_journal(journal.path))[-1]["event"] == "stopped"
    model.fail_on = None
    assert [change.key for change in run(model, journal).done] == [B.key, C.key]


def test_a_change_that_does_not_take_is_found_by_reading_back(journal) -> None:
    model = room(A, B)
    model.lie_on = A.key
    with pytest.raises(ApplyFailed) as caught:
        run(model, journal)
    assert isinstance(caught.value.cause, NotAsPlanned)
    assert caught.value.cause.found == "it does not stand"
    assert caught.value.result.done == ()


def test_a_removal_that_does_not_take_is_found_by_reading_back(journal) -> None:
    model = room(world=[stand(A)])
    model.lie_on = A.key
    with pytest.raises(ApplyFailed, match="it still stands"):
        run(model, journal)


def test_an_update_that_does_not_take_is_found_by_reading_back(journal) -> None:
    model = room(thing("a", 2), world=[stand(A)])
    model.lie_on = A.key
    with pytest.raises(ApplyFailed, match="value differs"):
        run(model, journal)


def test_no_step_begins_whose_line_cannot_be_written(journal) -> None:
    model = room(A)
    journal.path.mkdir()  # nothing can be appended to a folder
    with pytest.raises(FileFailure):
        run(model, journal)
    assert model.log == []


def test_rooms_of_one_wave_run_side_by_side(journal) -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Waiting(ModelRoom):
        def apply(self, changes, scope, host, done) -> None:
            meeting.wait()
            super().apply(changes, scope, host, done)

    class Other(Waiting):
        name = "other"
        kinds = frozenset({"part"})

    first, second = Waiting(wanted={A.key: A}), Other()
    part = type(A)(Key("part", "p"), {"value": 1})
    second.wanted[part.key] = part
    first.kinds = frozenset({"thing"})
    plan = make_plan([first, second], scope(), Host())
    result = carry_out(plan, [first, second], scope(), Host(), journal=journal)
    assert len(result.done) == 2


def test_every_room_keeps_traffic_from_what_another_changes_and_is_asked_no_longer_after_it(journal) -> None:
    address = ip_address("10.0.0.1")
    log: list[str] = []

    class Sender(ModelRoom):
        name = "sender"
        kinds = frozenset({"part"})

        @contextmanager
        def set_aside(self, scope, host, addresses, told):
            told.step([f"{self.word} sends no more"])
            log.append(f"{self.word} aside {addresses}")
            yield
            told.note(f"{self.word} could not go on at once")

        word = ""

    class Changer(ModelRoom):
        kinds = frozenset({"thing"})

        def apply(self, changes, scope, host, done) -> None:
            with done.aside(changes[0], [address]):
                log.append("changed")
            super().apply(changes, scope, host, done)

    changer, first, second = Changer(wanted={A.key: A}), Sender(), Sender()
    first.word, second.word = "first", "second"
    rooms = [changer, first, second]
    result = carry_out(make_plan(rooms, scope(), Host()), rooms, scope(), Host(), journal=journal)
    assert log == [f"first aside [{address!r}]", f"second aside [{address!r}]", "changed"]
    assert result.notes == tuple(f"thing a: {word} could not go on at once" for word in ("second", "first"))
    steps = [line["lines"] for line in read_journal(journal.path) if line["event"] == "step"]
    assert steps == [["first sends no more"], ["second sends no more"]]


def test_one_by_one_stops_what_has_not_begun() -> None:
    model = room(*(thing(f"t{i}") for i in range(50)))
    changes = make_plan([model], scope(), Host()).changes
    begun: list[Key] = []

    def act(change) -> str:
        begun.append(change.key)
        raise Failure("it was to work")

    told: list[str] = []
    with pytest.raises(Failure):
        one_by_one(changes, act, lambda change, _detail: told.append(change.key.name), workers=2)
    assert len(begun) <= 2
    assert told == []


def test_a_secret_is_in_no_plan_and_in_no_journal(journal) -> None:
    secret = Secret(b"correct horse battery staple")
    model = room(thing("a", {"key": secret}))
    plan = make_plan([model], scope(), Host())
    text = json.dumps(plan.as_data()) + str(plan) + repr(plan)
    carry_out(plan, [model], scope(), Host(), journal=journal)
    assert "horse" not in text + journal.path.read_text()
    assert secret.digest in text


def test_plain_gives_json() -> None:
    value = {"s": Secret(b"x"), "t": (1, 2.5, None, True), "f": frozenset({"b", "a"}), "k": Key("a", "b")}
    assert json.loads(json.dumps(plain(value))) == {
        "s": repr(Secret(b"x")),
        "t": [1, 2.5, None, True],
        "f": ["a", "b"],
        "k": "a b",
    }


def test_a_journal_cut_short_by_a_kill_is_read_to_its_last_whole_line(journal) -> None:
    journal.write("start", changes=1)
    with journal.path.open("a") as stream:
        stream.write('{"event": "beg')
    assert [record["event"] for record in read_journal(journal.path)] == ["start"]


def test_every_failure_of_a_wave_is_told(journal) -> None:
    """Rooms side by side, changes side by side within one, and what reading back finds beside an error."""
    meeting = threading.Barrier(3, timeout=10)

    class Parallel(ModelRoom):
        def apply(self, changes, scope, host, done) -> None:
            def act(change) -> str:
                meeting.wait()
                raise Failure(f"{change.key} was to be made", found=f"no {change.key.name}", where="here")

            one_by_one(changes, act, done)

    class Other(ModelRoom):
        name = "other"
        kinds = frozenset({"part"})

        def apply(self, changes, scope, host, done) -> None:
            meeting.wait()
            super().apply(changes, scope, host, done)

    parts = {key: type(A)(key, {"value": 1}) for key in (Key("part", "p"), Key("part", "q"))}
    first, second = Parallel(wanted={A.key: A, Key("thing", "z"): thing("z")}), Other(wanted=parts)
    first.kinds = frozenset({"thing"})
    second.lie_on, second.fail_on = parts.keys()
    plan = make_plan([first, second], scope(), Host())
    with pytest.raises(ApplyFailed) as caught:
        carry_out(plan, [first, second], scope(), Host(), journal=journal)
    cause = caught.value.cause
    assert isinstance(cause, Several)
    assert [error.found for error in cause.errors] == ["no more room", "it does not stand", "no a", "no z"]
    assert "and here: thing z was to be made: no z" in str(caught.value)
    assert sorted(change.key for change in caught.value.during) == [change.key for change in plan.changes]
    assert len(caught.value.as_data()["cause"]["errors"]) == 4
    stopped = list(read_journal(journal.path))[-1]
    assert [error["found"] for error in stopped["error"]["errors"]] == [e.found for e in cause.errors]


def test_very_many_failures_are_told_up_to_a_point() -> None:
    told = str(Several([Failure(f"step {number} was to work") for number in range(100)]))
    assert "and step 5 was to work" in told
    assert "step 6" not in told
    assert "and 94 more errors" in told


@pytest.mark.parametrize("error", [KeyError("a bug"), KeyboardInterrupt()])
def test_whatever_ends_an_apply_is_on_record(journal, error: BaseException) -> None:
    class Broken(ModelRoom):
        def apply(self, changes, scope, host, done) -> None:
            super().apply(changes[:1], scope, host, done)
            raise error

    with pytest.raises(type(error)):
        run(Broken(wanted={A.key: A}), journal)
    last = list(read_journal(journal.path))[-1]
    assert (last["event"], last["error"]["error"]) == ("stopped", type(error).__name__)


def test_a_row_goes_one_after_the_other_and_stops_at_a_failure() -> None:
    def change(name: str) -> Change:
        return Change(Key("thing", name), Action.UPDATE, Impact.NONE, "", None, None)

    begun: list[str] = []
    told: list[str] = []

    def act(each: Change) -> str:
        begun.append(each.key.name)
        if each.key.name == "b2":
            raise Failure("b2 was to work")
        return ""

    rows = [[change("a1"), change("a2")], [change("b1"), change("b2"), change("b3")]]
    with pytest.raises(Failure, match="b2"):
        in_turn(rows, act, lambda each, _detail: told.append(each.key.name), workers=1)
    assert begun == ["a1", "a2", "b1", "b2"]
    assert told == ["a1", "a2", "b1"]
