"""A mirror as it shall be: what is so already is left alone, and what is foreseen is what comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.mirror import states
from lbkit.mirror.keeper.going_back import is_back, target
from lbkit.mirror.keeper.hold import Held
from lbkit.mirror.operations import NotCommitted, SyncFailed
from lbkit.mirror.reach import KeeperAway
from lbkit.mirror.states import SyncHeld, Wanted
from lbkit.mirror.talk.lines import Message
from lbkit.mirror.tree.generation import Generation
from tests.clocks import HandClock
from tests.mirror import faked
from tests.mirror.faked import Keeper

OTHER = "e" * 64
NONE = {"files": 0, "size": 0}
EMPTY = {"added": NONE, "changed": NONE, "deleted": NONE, "folders": 0}


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    with faked.listening(tmp_path, monkeypatch) as keeper:
        keeper.says["status"] = faked.status(
            generations=[faked.generation(12), faked.generation(11, digest=OTHER)]
        )
        yield keeper


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    return faked.topology(tmp_path)


def asked(keeper: Keeper) -> list[str]:
    return [str(each["do"]) for each in keeper.asked if each["do"] != "status"]


def synced(**more: Any) -> Message:
    where = {"serial": 12, "committed": True, "have": ["mirror-1"], "serving": ["mirror-1"]}
    return {"run": faked.run(), **where, **more}


def held(serial: int = 11, digest: str = OTHER) -> Message:
    return {"why": "rollback", "serial": serial, "digest": digest, "since": 1.0}


def test_a_sync_that_is_foreseen_comes(keeper: Keeper, scope: Scope) -> None:
    keeper.says["sync"] = synced(run=faked.run(added=12, changed=1, deleted=900))
    foreseen = states.foresee(scope, Wanted("debian"))
    assert asked(keeper) == ["plan"]
    came = states.reach(scope, Wanted("debian"), wait=9)
    assert keeper.asked[-1] == {"do": "sync", "anyway": False, "wait": 9}
    assert foreseen.changed
    assert came.changed
    assert foreseen.files == came.files == {"added": 12, "changed": 1, "deleted": 900}
    assert foreseen.before_and_after() == came.before_and_after()
    assert came.as_data()["run"]["came"] == "made"


def test_where_upstream_is_as_it_was_nothing_is_changed(keeper: Keeper, scope: Scope) -> None:
    keeper.says |= {
        "plan": faked.planned(**EMPTY),
        "sync": synced(run=faked.run("nothing", added=0, changed=0, deleted=0)),
    }
    foreseen, came = states.foresee(scope, Wanted("debian")), states.reach(scope, Wanted("debian"))
    assert (foreseen.changed, came.changed, foreseen.files) == (False, False, came.files)
    assert came.before_and_after() == ("", "")


def test_what_guards_would_hold_is_foreseen_in_the_same_words(keeper: Keeper, scope: Scope) -> None:
    keeper.says |= {
        "plan": faked.planned(objections=["too much", "too few"]),
        "sync": synced(run=faked.run("held", why="too much; too few")),
    }
    with pytest.raises(SyncHeld) as foreseen:
        states.foresee(scope, Wanted("debian"))
    with pytest.raises(SyncFailed) as came:
        states.reach(scope, Wanted("debian"))
    assert (foreseen.value.wanted, foreseen.value.found) == (came.value.wanted, came.value.found)
    assert foreseen.value.as_data()["plan"]["deleted"]["files"] == 900
    assert not states.changed(came.value.synced)
    assert states.foresee(scope, Wanted("debian", anyway=True)).changed


def test_what_was_made_and_is_not_committed_is_a_change_that_failed(keeper: Keeper, scope: Scope) -> None:
    keeper.says["sync"] = synced(committed=False)
    with pytest.raises(NotCommitted) as caught:
        states.reach(scope, Wanted("debian"), wait=5)
    assert states.changed(caught.value.synced)
    assert isinstance(caught.value, states.Unfinished)


def test_a_sync_takes_no_rollback_back(keeper: Keeper, scope: Scope) -> None:
    keeper.says["status"] = faked.status(held=held())
    for act in (states.foresee, states.reach):
        with pytest.raises(SyncHeld, match="since a rollback to generation 11"):
            act(scope, Wanted("debian", anyway=True))
    assert asked(keeper) == []


def test_a_rollback_goes_back_once(keeper: Keeper, scope: Scope) -> None:
    keeper.says["rollback"] = synced(serial=13, held=held())
    wanted = Wanted("debian", "rolled_back")
    foreseen, came = states.foresee(scope, wanted), states.reach(scope, wanted, wait=7)
    assert keeper.asked[-1] == {"do": "rollback", "serial": 11, "wait": 7}, "what was foreseen, by its serial"
    assert (foreseen.to, came.to, foreseen.changed, came.changed) == (11, 11, True, True)
    assert foreseen.before_and_after() == came.before_and_after()
    newest = {"serial": 13, "digest": OTHER}
    generations = [
        faked.generation(13, digest=OTHER), faked.generation(12), faked.generation(11, digest=OTHER)
    ]  # fmt: skip
    keeper.says["status"] = faked.status(
        held=held(), newest=newest, committed=newest, generations=generations
    )
    keeper.asked.clear()
    for again in (
        wanted,
        Wanted("debian", "rolled_back", serial=11),
        Wanted("debian", "rolled_back", serial=13),
    ):
        assert not states.foresee(scope, again).changed
        assert not states.reach(scope, again).changed
    assert asked(keeper) == []
    assert states.foresee(scope, Wanted("debian", "rolled_back", serial=12)).to == 12
    with pytest.raises(Mistake, match="these stand: 11, 12, 13"):
        states.foresee(scope, Wanted("debian", "rolled_back", serial=9))


def test_one_that_is_rolled_back_and_not_committed_is_waited_for(keeper: Keeper, scope: Scope) -> None:
    newest = {"serial": 13, "digest": OTHER}
    not_yet = faked.status(held=held(), newest=newest, generations=[faked.generation(13, digest=OTHER)])
    answers = [not_yet, not_yet, {**not_yet, "committed": newest}]
    keeper.says["status"] = lambda _message, _say: answers.pop(0) if len(answers) > 1 else answers[0]
    host = Host(clock=HandClock())
    wanted = Wanted("debian", "rolled_back")
    assert not states.reach(scope, wanted, host, wait=60).changed
    answers[:] = [not_yet]
    with pytest.raises(Failure, match="generation 13 of mirror debian was to be committed within 60 s"):
        states.reach(scope, wanted, host, wait=60)
    assert not states.reach(scope, wanted, host, wait=0).changed


def test_a_release_is_one_where_something_is_held(keeper: Keeper, scope: Scope) -> None:
    wanted = Wanted("debian", "released")
    assert not states.foresee(scope, wanted).changed
    assert not states.reach(scope, wanted).changed
    assert asked(keeper) == []
    keeper.says |= {"status": faked.status(held=held()), "release": {"held": held()}}
    foreseen, came = states.foresee(scope, wanted), states.reach(scope, wanted)
    assert foreseen == came
    assert came.as_data()["held"] == held()


@pytest.mark.parametrize(
    "given_", [{"state": "released", "anyway": True}, {"serial": 3}, {"state": "released", "serial": 3}]
)
def test_what_cannot_be_meant_is_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(Mistake):
        Wanted("debian", **given_)


def test_mirrors_are_told_and_one_that_is_silent_too(keeper: Keeper, scope: Scope) -> None:
    keeper.says["log"] = {"runs": [faked.run("failed"), faked.run()]}
    (told,) = states.tell(scope, last=2)
    assert keeper.asked[-1] == {"do": "log", "last": 2}
    data = told.as_data()
    assert (data["mirror"], data["error"], data["status"]["keep"]) == ("debian", None, 3)
    assert [run["came"] for run in data["runs"]] == ["failed", "made"]
    assert states.tell(scope)[0].runs == ()
    for last in (-1, 501):
        with pytest.raises(Mistake):
            states.tell(scope, last=last)
    keeper.away = True
    (silent,) = states.tell(scope)
    assert silent.as_data()["status"] is None
    assert silent.as_data()["error"]["error"] == "KeeperAway"
    with pytest.raises(KeeperAway):
        states.tell(scope, mirror="debian")
    with pytest.raises(Mistake, match="did you mean 'debian'"):
        states.tell(scope, mirror="debain")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), st.none() | st.integers(1, 7))
def test_after_going_back_it_is_back(contents: list[str], serial: int | None) -> None:
    standing = [Generation(number, content * 64, 1, 1, 0.0) for number, content in enumerate(contents, 1)]
    try:
        to = target(standing, None, serial, None)
    except Mistake:
        assert len({each.digest for each in standing}) == 1 or serial is not None
        return
    after = [*standing, Generation(len(standing) + 1, to.digest, 1, 1, 0.0)]
    now = Held("rollback", to.serial, to.digest, 0.0)
    assert is_back(after, now, serial)
    assert is_back(after, now, None)
    assert not is_back(after, None, serial), "nobody holds it"
    assert not is_back([*after, Generation(len(after) + 1, "f" * 64, 1, 1, 0.0)], now, serial)
