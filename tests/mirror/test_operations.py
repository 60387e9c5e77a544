"""What is done with a mirror while it runs: what the keeper is asked, and what its answers mean."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health, Status
from lbkit.mirror import operations, seen, taking_over
from lbkit.mirror.answers import Committing, Ended, Progress, Told, Waiting
from lbkit.mirror.asking import KeeperFailed, KeeperRefused
from lbkit.mirror.keeper.control import Say
from lbkit.mirror.operations import KeeperSilent, NotCommitted, SyncFailed
from lbkit.mirror.reach import KeeperAway
from lbkit.mirror.taking_over import NotTakenOver
from lbkit.mirror.talk.lines import Closed, Message
from lbkit.mirror.view import alarms, explain, picture
from lbkit.mirror.view import status as rows_of
from tests.clocks import HandClock
from tests.mirror import faked
from tests.mirror.faked import Keeper


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    with faked.listening(tmp_path, monkeypatch) as keeper:
        yield keeper


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    return faked.topology(tmp_path)


def synced(**more: Any) -> Message:
    where = {"serial": 12, "committed": True, "have": ["mirror-1"], "serving": ["mirror-1"]}
    return {"run": faked.run(), **where, **more}


def test_a_sync_is_told_as_it_goes(keeper: Keeper, scope: Scope) -> None:
    where = {"serial": 12, "committed": False, "have": ["mirror-1"], "serving": []}

    def sync(message: Message, say: Say) -> Message:
        say({"waiting": None})
        say(
            faked.progress(
                "fetch", files=3, of_files=12, size=1 << 20, of_size=5 << 20, rate=1 << 20, left=4.0
            )
        )
        say({"news": "of a newer keeper"})
        say({"run": faked.run()})
        say({"committing": where})
        return synced()

    keeper.says["sync"] = sync
    told: list[Told] = []
    found = operations.sync(scope, "debian", anyway=True, wait=9, watch=told.append)
    assert keeper.asked == [{"do": "sync", "anyway": True, "wait": 9}]
    assert [type(each) for each in told] == [Waiting, Progress, Ended, Committing]
    assert (found.run.came, found.serial, found.serving) == ("made", 12, ("mirror-1",))
    assert found.as_data()["run"] == {**faked.run(), "tries": ()}


@pytest.mark.parametrize(
    ("came", "words"),
    [
        ("held", "--anyway debian"),
        ("partial", "serves on"),
        ("failed", "log debian 20260921T133320Z-000001"),
        ("killed", "sync again"),
        ("paused", "goes on with what came"),
    ],
)
def test_a_run_that_made_nothing_is_a_failure(keeper: Keeper, scope: Scope, came: str, words: str) -> None:
    keeper.says["sync"] = synced(run=faked.run(came, why="because"))
    with pytest.raises(SyncFailed) as caught:
        operations.sync(scope, "debian")
    assert caught.value.found.endswith(": because")
    assert words in caught.value.remedy
    assert caught.value.as_data()["run"]["came"] == came


def test_a_generation_that_too_few_nodes_have_in_time_is_told(keeper: Keeper, scope: Scope) -> None:
    keeper.says["sync"] = synced(committed=False)
    with pytest.raises(NotCommitted, match="within 5 s"):
        operations.sync(scope, "debian", wait=5)
    assert not operations.sync(scope, "debian", wait=0).committed
    keeper.says["sync"] = synced(run=faked.run("nothing"), serial=0, committed=False, have=[], serving=[])
    assert operations.sync(scope, "debian").serial == 0


def test_a_plan_is_empty_where_nothing_would_change(keeper: Keeper, scope: Scope) -> None:
    assert operations.plan(scope, "debian", most=7)
    assert keeper.asked == [{"do": "plan", "most": 7}]
    none = {"files": 0, "size": 0}
    keeper.says["plan"] = faked.planned(added=none, changed=none, deleted=none, folders=0)
    assert not operations.plan(scope, "debian")


def test_errors_are_the_keepers_own(keeper: Keeper, scope: Scope) -> None:
    def busy(_message: Message, _say: Say) -> Message:
        raise Failure("what a sync would do was to be told", found="a run is under way")

    def none(_message: Message, _say: Say) -> Message:
        raise Mistake("a run was to be named", found="'x'")

    keeper.says |= {"plan": busy, "run": none}
    with pytest.raises(KeeperFailed, match="a run is under way"):
        operations.plan(scope, "debian")
    with pytest.raises(KeeperRefused, match="a run was to be named"):
        operations.run(scope, "debian", "x")


def test_an_answer_of_another_form_is_no_bug(keeper: Keeper, scope: Scope) -> None:
    keeper.says["plan"] = {"against": "twelve"}
    with pytest.raises(Failure, match="as this lbkit understands it"):
        operations.plan(scope, "debian")


def test_machines_are_named_as_people_know_them(keeper: Keeper, scope: Scope) -> None:
    keeper.says["verify"] = {"verified": [], "files": 0, "damaged": 0, "mended": 0, "left": 0, "failed": []}
    operations.verify(scope, "debian", mend=True, only=["store", "mirror-2"])
    assert keeper.asked == [{"do": "verify", "mend": True, "only": ["", "mirror-2"]}]
    with pytest.raises(Mistake, match="mirror-2"):
        operations.verify(scope, "debian", only=["mirro-2"])


def test_a_name_that_is_none_and_a_keeper_that_is_away(keeper: Keeper, scope: Scope) -> None:
    with pytest.raises(Mistake, match="did you mean 'debian'"):
        operations.status(scope, "debain")
    keeper.away = True
    with pytest.raises(KeeperAway, match="lbkit mirror promote debian"):
        operations.push(scope, "debian")


def test_what_is_held_is_released(keeper: Keeper, scope: Scope) -> None:
    held = {"why": "rollback", "serial": 11, "digest": faked.DIGEST, "since": 1.0}
    keeper.says |= {"release": {"held": held}, "push": {"wanted": 4}}
    assert operations.release(scope, "debian") == held
    assert operations.push(scope, "debian") == 4


def rows(scope: Scope) -> dict[str, Status]:
    return {row.key.name: row for row in rows_of(scope, Host(clock=HandClock()))}


@pytest.mark.parametrize(
    ("changed", "health", "words"),
    [
        ({}, Health.UP, "generation 12 is committed, 2 of 2 nodes serve, next run by schedule"),
        (
            {"alarms": ["of 2 nodes that must serve 1 are fresh"]},
            Health.DEGRADED,
            "of 2 nodes that must serve 1 are fresh",
        ),
        ({"last": faked.run("failed", why="no route")}, Health.DEGRADED, "the last run was failed: no route"),
        ({"held": {"why": "rollback", "serial": 11}}, Health.DEGRADED, "held since a rollback to 11"),
        ({"committed": None}, Health.DOWN, "nothing is committed yet"),
        ({"nodes": {"mirror-1": faked.node(told="drain")}}, Health.DOWN, "0 of 1 nodes serve"),
    ],
)
def test_a_row_tells_how_the_mirror_is(
    keeper: Keeper, scope: Scope, changed: Message, health: Health, words: str
) -> None:
    keeper.says["status"] = faked.status(**changed)
    row = rows(scope)["debian"]
    assert (row.present, row.health) == (True, health)
    assert words in row.detail


@pytest.mark.parametrize(
    ("node", "present", "health", "words"),
    [
        (faked.node(), True, Health.UP, "serves 12"),
        (faked.node(serving=11, behind=1), True, Health.DEGRADED, "serves 11, 1 generation behind"),
        (
            faked.node(serving=9, behind=3, told="drain"),
            True,
            Health.DOWN,
            "is drained with 9, 3 generations behind",
        ),
        (faked.node(serving=0, has={}, behind=1 << 31, told="drain"), True, Health.DOWN, "has nothing yet"),
        (faked.node(heard=None, told=None, behind=None), False, Health.UNKNOWN, "has not heard it: it ends"),
        (faked.node(heard=42.0), True, Health.UNKNOWN, "not heard for 42 s"),
        (faked.node(busy=""), True, Health.UP, "gets the next one from store"),
        (faked.node(verify={"damaged": 2, "left": 2}), True, Health.DEGRADED, "2 damaged files"),
    ],
)
def test_a_row_tells_how_a_node_is(
    keeper: Keeper,
    scope: Scope,
    node: Message,
    present: bool,  # noqa: FBT001 - a case
    health: Health,
    words: str,
) -> None:
    troubles = {"mirror-2": "it ends"} if node["heard"] is None else {}
    keeper.says["status"] = faked.status(
        nodes={"mirror-1": faked.node(), "mirror-2": node}, troubles=troubles
    )
    row = rows(scope)["debian/mirror-2"]
    assert (row.present, row.health) == (present, health)
    assert words in row.detail
    assert row.parent is not None
    assert row.parent.name == "debian"


def test_without_a_keeper_the_nodes_are_asked_themselves(keeper: Keeper, scope: Scope) -> None:
    keeper.away = True
    keeper.verdicts = {"mirror-1": "ready up"}
    found = rows(scope)
    assert (found["debian"].present, found["debian"].health) == (False, Health.DEGRADED)
    assert "1 of 2 nodes serve what they have" in found["debian"].detail
    assert "ready up" in found["debian/mirror-1"].detail
    assert not found["debian/mirror-2"].present
    keeper.verdicts = {}
    assert rows(scope)["debian"].health is Health.DOWN


def test_a_keeper_that_hangs_is_not_waited_for(
    keeper: Keeper, scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "control.sock").unlink()
    monkeypatch.setattr(seen, "PATIENCE", 0.2)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "control.sock"))
        deaf.listen(4)
        began = time.monotonic()
        assert rows(scope)["debian"].health is Health.UNKNOWN
        assert time.monotonic() - began < 30  # and not asking.SILENCE


def test_a_watcher_is_told_what_wants_a_person(keeper: Keeper, scope: Scope) -> None:
    def alarmed(**more: Any) -> dict[str, str]:
        keeper.says["status"] = faked.status(**more)
        return alarms(scope, Host(clock=HandClock()))

    assert alarmed() == {}
    assert alarmed(last=faked.run("partial", why="it updates itself")) == {}
    assert alarmed(last=faked.run("held", why="too much"), alarms=["1 is fresh"]) == {
        "mirror debian": "1 is fresh; the last run was held: too much"
    }
    full = {"mirror-2": "a file was to be written\n  found: No space left on device"}
    assert alarmed(troubles=full) == {}, "it serves, and is tried again"
    nodes = {"mirror-1": faked.node(), "mirror-2": faked.node(told="drain", behind=3)}
    (words,) = alarmed(troubles=full, nodes=nodes).values()
    assert words == "mirror-2 is drained: a file was to be written found: No space left on device"
    rotten = {"mirror-2": faked.node(verify={"doing": False, "damaged": 3, "left": 2})}
    assert alarmed(nodes=rotten) == {
        "mirror debian": "mirror-2 has 2 damaged files: `lbkit mirror verify --mend debian`"
    }
    keeper.away = True
    assert alarmed() == {}  # the next apply starts it


def test_evidence_says_why_a_node_is_drained(keeper: Keeper, scope: Scope) -> None:
    host = Host(clock=HandClock())
    keeper.says["log"] = {"runs": [faked.run("failed", why="no route"), faked.run()]}
    late = faked.node(serving=9, behind=3, told="drain", busy="mirror-1")
    keeper.says["status"] = faked.status(nodes={"mirror-1": faked.node(), "mirror-2": late})
    findings = explain(scope, host, ["debian", "mirror-2"])
    assert findings is not None
    said = {each.what: each for each in findings}
    assert said["it is 3 generations behind the committed one"].good is False
    assert "freshness.max_lag is 1" in said["it is 3 generations behind the committed one"].evidence
    assert said["it is drained"].evidence == "it serves what is too old, or gets what comes next"
    assert "it gets a generation from mirror-1 now" in said
    of_all = explain(scope, host, ["debian"])
    assert of_all is not None
    assert [each.good for each in of_all if each.what.startswith("run ")] == [False, True]
    assert any(each.what.startswith("next run by schedule at ") for each in of_all)
    assert explain(scope, host, ["debian", "mirror-9"]) is None
    assert explain(scope, host, ["ubuntu"]) is None
    keeper.away = True
    assert explain(scope, host, ["debian"])
    assert explain(scope, host, ["debian", "mirror-2"])


@pytest.mark.parametrize(
    ("newest", "words"),
    [(13, "13 is on its way"), (11, "the master has 11 at most: the next run makes a later one")],
)
def test_what_the_master_has_besides_the_committed_one_is_told(
    keeper: Keeper, scope: Scope, newest: int, words: str
) -> None:
    """An older one: somebody removed generations of its disk, or another master made the committed one."""
    keeper.says["status"] = faked.status(newest={"serial": newest, "digest": faked.DIGEST})
    assert words in rows(scope)["debian"].detail


def test_of_a_node_that_is_not_heard_any_more_nobody_says_that_it_serves(
    keeper: Keeper, scope: Scope
) -> None:
    keeper.says["log"] = {"runs": []}
    silent = faked.node(heard=23.4)
    keeper.says["status"] = faked.status(nodes={"mirror-1": faked.node(), "mirror-2": silent})
    findings = explain(scope, Host(clock=HandClock()), ["debian", "mirror-2"])
    assert findings is not None
    said = {each.what: each.good for each in findings}
    assert said["the keeper heard it 23.4 s ago"] is False
    assert said["whether it serves is not known: its last verdict was ready"] is None
    of_all = {each.what: each.good for each in explain(scope, Host(clock=HandClock()), ["debian"]) or ()}
    assert of_all["mirror-1 serves 12"] is True
    assert of_all["mirror-2 is not heard for 23 s; then it serves 12"] is False


def test_the_picture_leads_from_upstream_over_the_master_to_the_nodes(scope: Scope) -> None:
    found = picture(scope)
    assert [(each.id, each.details) for each in found.nodes] == [
        ("mirror debian", ("rsync://up.example/debian",))
    ]
    assert [(each.source, each.target) for each in found.edges] == [
        ("mirror debian", "machine store"),
        ("machine store", "machine mirror-1"),
        ("machine store", "machine mirror-2"),
    ]


def test_a_new_master_is_waited_for_until_its_newest_is_committed(keeper: Keeper, scope: Scope) -> None:
    host = Host(clock=HandClock())
    newer = {"serial": 1012, "digest": faked.DIGEST}
    under_way = {"cause": "promotion", "began": 0.0, "run": None, **faked.progress("verify")}
    answers = [
        faked.status(committed=None, newest=None, last=None, running=under_way),
        faked.status(newest=newer),
        faked.status(newest=newer, committed=newer),
    ]
    keeper.says["status"] = lambda _message, _say: answers.pop(0)
    told: list[Told] = []
    found = taking_over.wait(scope, "debian", host, within=60, watch=told.append)
    assert found.committed == newer
    assert [each.phase for each in told if isinstance(each, Progress)] == ["verify"]
    keeper.says["status"] = faked.status(committed=None, alarms=["13 cannot be committed"])
    with pytest.raises(NotTakenOver, match="13 cannot be committed"):
        taking_over.wait(scope, "debian", host, within=3)
    keeper.says["status"] = faked.status(
        committed=None, last=faked.run("failed", cause="promotion", why="none is whole")
    )
    with pytest.raises(NotTakenOver, match="none is whole"):
        taking_over.wait(scope, "debian", host, within=3)


@pytest.mark.parametrize(
    ("what", "words", "remedy"),
    [
        ("hangs", "not a word in 0.2 s", "lbkit explain store/mirror-debian-keeper"),
        ("ends", "closed", "lbkit mirror log debian"),
    ],
)
def test_a_keeper_that_hangs_or_ends_meanwhile_is_named_with_what_to_do(
    keeper: Keeper, scope: Scope, what: str, words: str, remedy: str
) -> None:
    go = threading.Event()

    def status(_message: Message, _say: Say) -> Message:
        if what == "ends":
            raise Closed("the other end was to talk on")
        go.wait(30)
        return faked.status()

    keeper.says["status"] = status
    try:
        with pytest.raises(KeeperSilent, match=words) as raised:
            operations.status(scope, "debian", patience=0.2)
    finally:
        go.set()
    assert raised.value.where == "machine store"
    assert remedy in raised.value.remedy
