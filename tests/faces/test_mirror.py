"""`lbkit mirror`: what people and programs read, what it asks before, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lbkit import operate
from lbkit.base import host as hosts
from lbkit.base.errors import Failure, Mistake
from lbkit.engine.applying import Result
from lbkit.engine.plan import Plan
from lbkit.faces.cli import main
from lbkit.faces.out import Out
from lbkit.faces.render.sizes import files_words, size_words, time_words
from lbkit.faces.render.transfer import ended_words, progress_words, verifying_words
from lbkit.mirror import operations
from lbkit.mirror.answers import Progress, Verifying
from lbkit.mirror.keeper.control import Say
from lbkit.mirror.reach import mirror_of
from lbkit.mirror.talk.lines import Message
from tests.clocks import HandClock
from tests.faces.conftest import Ran
from tests.faces.test_json import FILE
from tests.mirror import faked
from tests.mirror.faked import Keeper

ID = faked.run()["id"]


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    """The working folder has the topology, by the name that is looked for."""
    faked.topology(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hosts, "SystemClock", HandClock)
    with faked.listening(tmp_path, monkeypatch) as keeper:
        yield keeper


@pytest.fixture
def mirror(keeper: Keeper, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Ran:
        code = main(["mirror", *words, "--run-dir", str(tmp_path / "run")])
        told = capfd.readouterr()
        return Ran(code, told.out, told.err)

    return run


def document(ran: Ran, name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(data, json.loads(FILE.read_text(encoding="utf-8")))
    assert data["schema"] == name
    assert not ran.err
    return data


def synced(**more: Any) -> Message:
    where = {"serial": 12, "committed": True, "have": ["mirror-1"], "serving": ["mirror-1"]}
    return {"run": faked.run(), **where, **more}


PLAN = """\
debian: against generation 12, 1,200 files, 3.0 GiB

+ add      12 files  5.0 MiB
~ change     1 file  2.9 KiB
- delete  900 files  1.0 GiB
  stay    299 files  2.0 GiB

  + pool/a
  + pool/b
    … and 10 more: --most N names them

  ~ dists/Release

then it has 312 files, 2.0 GiB
"""

OBJECTION = "it would delete 900 of 1,200 files, 75.0%; `guard.delete` is 5.0%"


def test_a_plan_says_what_a_sync_would_do(keeper: Keeper, mirror: Any) -> None:
    ran = mirror("plan", "debian")
    assert (ran.code, ran.out) == (2, PLAN)
    assert keeper.asked == [{"do": "plan", "most": 10}]
    keeper.says["plan"] = faked.planned(objections=[OBJECTION])
    ran = mirror("plan", "topology.yml", "debian", "--most", "2")
    assert ran.out == PLAN + f"held: {OBJECTION}\n`lbkit mirror sync --anyway debian` does it all the same\n"
    data = document(mirror("plan", "debian", "--json"), "lbkit.mirror-plan/1")
    assert (data["objections"], data["deleted"]) == ([OBJECTION], {"files": 900, "size": 1 << 30})


def test_a_plan_without_changes_ends_with_0(keeper: Keeper, mirror: Any) -> None:
    none = {"files": 0, "size": 0}
    keeper.says["plan"] = faked.planned(added=none, changed=none, deleted=none, folders=0)
    ran = mirror("plan", "debian")
    assert (ran.code, ran.out) == (0, "debian: upstream is as generation 12: nothing to do\n")


def test_a_sync_is_told_part_by_part(keeper: Keeper, mirror: Any) -> None:
    def sync(_message: Message, say: Say) -> Message:
        say({"waiting": faked.run("running", cause="schedule")})
        say(faked.progress("compare", seconds=2.0))
        say(
            faked.progress(
                "fetch", files=3, of_files=12, size=1 << 20, of_size=5 << 20, rate=1 << 20, left=4.0
            )
        )
        return synced()

    keeper.says["sync"] = sync
    ran = mirror("sync", "debian")
    assert (ran.code, ran.out) == (0, "debian: generation 12, +12 ~3 -1 files: committed, 1 node serves it\n")
    assert ran.err.splitlines() == [
        "waits for its turn: a run by schedule is under way",
        "compare  2 s",
        "fetch  12 files  5.0 MiB  1 s",
    ]
    assert keeper.asked == [{"do": "sync", "anyway": False, "wait": 120.0}]
    data = document(mirror("sync", "debian", "--wait", "10m", "--json"), "lbkit.mirror-sync/1")
    assert (data["serial"], data["run"]["came"]) == (12, "made")
    keeper.says["sync"] = synced(run=faked.run("nothing"))
    assert mirror("sync", "debian").out == "debian: upstream is as generation 12: nothing to do\n"


def test_a_sync_that_is_held_ends_with_1_and_says_what_to_do(keeper: Keeper, mirror: Any) -> None:
    keeper.says["sync"] = synced(run=faked.run("held", why=OBJECTION))
    ran = mirror("sync", "debian")
    assert ran.code == 1
    assert "`lbkit mirror sync --anyway debian`" in ran.err
    data = document(mirror("sync", "debian", "--json"), "lbkit.error/1")
    assert (data["error"], data["run"]["why"]) == ("SyncFailed", OBJECTION)


def test_a_person_overrules_the_guards_having_seen_what_they_say(
    keeper: Keeper, mirror: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.says |= {"plan": faked.planned(objections=[OBJECTION]), "sync": synced()}
    ran = mirror("sync", "--anyway", "debian")
    assert ran.code == 1
    assert OBJECTION in ran.out
    assert OBJECTION in ran.err
    assert "give --yes" in ran.err
    assert [each["do"] for each in keeper.asked] == ["plan"]
    said = ["n", "y"]
    monkeypatch.setattr(Out, "interactive", property(lambda self: not self.json))
    monkeypatch.setattr("builtins.input", lambda: said.pop(0))
    ran = mirror("sync", "--anyway", "debian")
    assert (ran.code, "Sync anyway? [y/N]" in ran.out) == (1, True)
    assert mirror("sync", "--anyway", "debian").code == 0
    assert keeper.asked[-1] == {"do": "sync", "anyway": True, "wait": 120.0}
    keeper.says["plan"] = faked.planned()
    assert mirror("sync", "--anyway", "debian").code == 0
    assert keeper.asked[-1]["anyway"] is False  # what comes in between is for the guards again


def test_ctrl_c_ends_the_waiting_alone(keeper: Keeper, mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_given: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(operations, "sync", interrupted)
    ran = mirror("sync", "debian")
    assert ran.code == 130
    assert "it goes on by itself" in ran.err
    document(mirror("sync", "debian", "--json"), "lbkit.error/1")


STATUS = """\
debian: generation 12 is committed, 13 is on its way
  of 2 nodes that must serve 1 are fresh

node      serves                            verdict  heard    doing
mirror-1  serves 12                         ready    0 s ago  gets from store
mirror-2  is drained with 9, 3 generations behind  drain    8 s ago  no space left

last run 2026-09-21 14:13:20 UTC, by person: failed: no route
last generation 12, 2026-09-21 14:13:20 UTC
1 push was not had yet
next run by schedule at 2030-01-31 06:00:00 UTC
"""


def test_status_says_who_serves_what_and_what_comes_next(keeper: Keeper, mirror: Any) -> None:
    late = faked.node(serving=9, behind=3, told="drain", heard=8.0)
    keeper.says["status"] = faked.status(
        newest={"serial": 13, "digest": faked.DIGEST},
        alarms=["of 2 nodes that must serve 1 are fresh"],
        troubles={"mirror-2": "no space\n left"},
        wanted=1,
        last=faked.run("failed", id="20260921T133320Z-000002", why="no route"),
        nodes={"mirror-1": faked.node(busy=""), "mirror-2": late},
    )
    for words in (
        ["status"],
        ["status", "debian"],
        ["status", "topology.yml"],
        ["status", "topology.yml", "debian"],
    ):
        ran = mirror(*words)
        assert ran.code == 0
        assert [line.split() for line in ran.out.splitlines()] == [
            line.split() for line in STATUS.splitlines()
        ]
    data = document(mirror("status", "--json"), "lbkit.mirror-status/1")
    assert data["mirrors"][0]["status"]["nodes"]["mirror-2"]["behind"] == 3


def test_status_of_all_goes_on_where_one_keeper_is_away(keeper: Keeper, mirror: Any) -> None:
    keeper.away = True
    ran = mirror("status")
    assert ran.code == 0
    assert "lbkit mirror promote debian" in ran.err
    data = document(mirror("status", "--json"), "lbkit.mirror-status/1")
    assert (data["mirrors"][0]["status"], data["mirrors"][0]["error"]["error"]) == (None, "KeeperAway")
    assert mirror("status", "debian").code == 1
    document(mirror("status", "debian", "--json"), "lbkit.error/1")


def test_the_log_lists_runs_and_tells_all_of_one(keeper: Keeper, mirror: Any) -> None:
    failed = faked.run("failed", why="no\nroute", tries=[{"code": 30, "words": "timeout"}])
    keeper.says |= {
        "log": {"runs": [failed, faked.run()]},
        "run": {"run": failed, "words": "rsync: one\ntwo\x1b[2J\n"},
    }
    ran = mirror("log", "debian", "--last", "2")
    head, first, second = ran.out.splitlines()
    assert head.split() == ["run", "began", "by", "came", "generation", "files", "fetched", "took", "why"]
    assert "no route" in first
    assert "11 -> 12" in second
    assert "+12 ~3 -1" in second
    assert keeper.asked == [{"do": "log", "last": 2}]
    for words in (["log", "debian", ID], ["log", "topology.yml", "debian", ID]):
        ran = mirror(*words)
        assert keeper.asked[-1] == {"do": "run", "run": ID}
        assert "exit code 30: timeout" in ran.out
        assert "\x1b" not in ran.out
        assert "rsync: one" in ran.out
    assert len(document(mirror("log", "debian", "--json"), "lbkit.mirror-log/1")["runs"]) == 2
    assert document(mirror("log", "debian", ID, "--json"), "lbkit.mirror-run/1")["words"].startswith("rsync")
    keeper.says["log"] = {"runs": []}
    assert mirror("log", "debian").out == "debian: no run yet\n"


def test_verify_tells_of_each_machine_and_ends_with_1_where_damage_is_left(
    keeper: Keeper, mirror: Any
) -> None:
    def one(node: str, **more: Any) -> Message:
        whole = {"files": 1, "size": 3 << 20, "damaged": 0, "mended": 0, "left": 0, "first": [], "failed": ""}
        return {"node": node, **whole, **more}

    first = [{"serial": 12, "path": "pool/a", "fault": "damaged"}]
    bad = one("mirror-1", damaged=1, left=1, first=first)
    sums = {"files": 2, "damaged": 1, "mended": 0, "left": 1, "failed": []}

    def verify(_message: Message, say: Say) -> Message:
        say(
            {
                "verify": {
                    "node": "",
                    "serial": None,
                    "files": None,
                    "of_files": None,
                    "size": None,
                    "of_size": None,
                    "damaged": None,
                }
            }
        )
        say({"verified": one("")})
        return {"verified": [one(""), bad], **sums}

    keeper.says["verify"] = verify
    ran = mirror("verify", "debian")
    assert ran.code == 1
    assert ran.out == (
        "master: 1 file, 3.0 MiB read: all as it should be\n"
        "mirror-1: 1 file, 3.0 MiB read: 1 damaged, 0 mended, 1 left as they are\n"
        "  12: pool/a damaged\n"
        "to do: `lbkit mirror verify --mend debian` gets those files anew\n"
    )
    data = document(mirror("verify", "debian", "--json"), "lbkit.mirror-verify/1")
    assert data["left"] == 1
    mended = one("mirror-1", damaged=1, mended=1)
    keeper.says["verify"] = {"verified": [mended], **sums, "mended": 1, "left": 0}
    assert mirror("verify", "debian", "--mend", "--only", "mirror-1").code == 0
    assert keeper.asked[-1] == {"do": "verify", "mend": True, "only": ["mirror-1"]}
    keeper.says["verify"] = {
        "verified": [one("mirror-1", failed="no answer")],
        **sums,
        "left": 0,
        "failed": ["mirror-1"],
    }
    ran = mirror("verify", "debian")
    assert (ran.code, ran.out) == (1, "mirror-1: could not be verified: no answer\n")


def test_a_rollback_is_asked_for_and_tells_that_runs_are_held(keeper: Keeper, mirror: Any) -> None:
    held = {"why": "rollback", "serial": 11, "digest": faked.DIGEST, "since": 1.0}
    keeper.says |= {"rollback": synced(held=held), "release": {"held": held}}
    ran = mirror("rollback", "debian")
    assert ran.code == 1
    assert (
        ran.out == "debian: from generation 12 back to what the generation before has; runs are held then\n"
    )
    assert [each["do"] for each in keeper.asked] == ["status"]
    ran = mirror("rollback", "debian", "11", "--yes")
    assert ran.code == 0
    assert ran.out.endswith("runs are held: `lbkit mirror release debian` lets them go on\n")
    assert keeper.asked[-1] == {"do": "rollback", "serial": 11, "wait": 120.0}
    assert document(mirror("rollback", "debian", "-y", "--json"), "lbkit.mirror-sync/1")["held"] == held
    assert mirror("rollback", "debian", "eleven", "-y").code == 64
    assert mirror("release", "debian").out == "debian: runs go on as declared\n"
    assert document(mirror("release", "debian", "--json"), "lbkit.mirror-release/1")["held"] == held
    keeper.says["release"] = {"held": None}
    assert mirror("release", "debian").out == "debian: nothing was held: nothing to do\n"


def test_a_push_returns_at_once(keeper: Keeper, mirror: Any) -> None:
    keeper.says["push"] = {"wanted": 7}
    assert mirror("push", "debian").out == "debian: a run begins as soon as none is under way\n"
    assert document(mirror("push", "debian", "--json"), "lbkit.mirror-push/1")["push"] == 7


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["plan", "debain"], "did you mean 'debian'?"),
        (["sync"], "NAME"),
        (["sync", "debian", "--wait", "long"], "a duration"),
        (["sync", "none.yml", "debian"], "none.yml"),
        (["log", "debian", "--last", "x"], "a number"),
        (["promte", "debian"], "promte"),
    ],
)
def test_what_cannot_be_meant_ends_with_64(mirror: Any, words: list[str], found: str) -> None:
    ran = mirror(*words)
    assert ran.code == 64
    assert found in ran.err


def test_words_of_progress() -> None:
    told = Progress("fetch", 1204, 3210, 120 << 20, 400 << 20, 12 << 20, 23.4, 9.0)
    assert progress_words(told) == "fetch  1,204/3,210 files  120.0 MiB of 400.0 MiB  12.0 MiB/s  23 s left"
    assert ended_words(told) == "fetch  3,210 files  400.0 MiB  9 s"
    assert progress_words(Progress("compare", 0, None, 0, None, 0, None, 1.0)) == "compare"
    verifying = Verifying("", 12, 3, 9, 1 << 10, 1 << 20, 2)
    assert verifying_words(verifying) == "master 3/9 files 1.0 KiB of 1.0 MiB 2 damaged"
    assert [size_words(size) for size in (0, 1023, 1024, 5 << 40)] == ["0 B", "1023 B", "1.0 KiB", "5.0 TiB"]
    assert [time_words(seconds) for seconds in (0.4, 59.7, 185, 7800)] == [
        "0 s",
        "1:00 min",
        "3:05 min",
        "2:10 h",
    ]
    assert [files_words(files) for files in (0, 1, 1200)] == ["0 files", "1 file", "1,200 files"]


# --- promote ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The masters that were applied. A word in it beforehand is what the apply fails with."""
    masters: list[str] = []
    real = operate.plan

    def plan(scope: Any, host: Any = None, **_more: Any) -> Plan:
        return real(scope, host)

    def apply(
        scope: Any, host: Any = None, *, promised: Plan, on_agreed: Callable[[], None], **_more: Any
    ) -> Result:
        if masters == ["fails"]:
            raise Failure("the lock was to be had", found="another apply has it")
        on_agreed()
        masters.append(mirror_of(scope, "debian").master)
        return Result(promised, (), (), 0.5)

    monkeypatch.setattr(operate, "plan", plan)
    monkeypatch.setattr(operate, "apply", apply)
    return masters


@pytest.fixture
def lost(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """The keeper does not answer until the file names another master."""
    keeper.stores = {
        "mirror-1": {"serving": 12, "generations": [faked.generation(12)]},
        "mirror-2": {"serving": 12, "generations": [faked.generation(13), faked.generation(12)]},
    }

    def status(_message: Message, _say: Say) -> Message:
        if "master: store" in Path("topology.yml").read_text():
            raise Failure("it was to live", found="it is lost")
        return faked.status()

    keeper.says["status"] = status
    return keeper


@pytest.mark.sandbox
def test_promote_chooses_verifies_edits_and_applies(lost: Keeper, mirror: Any, applied: list[str]) -> None:
    ran = mirror("promote", "debian", "--yes")
    assert ran.code == 0, ran.err
    assert applied == ["mirror-2"]
    assert Path("topology.yml").read_text() == faked.TOPOLOGY.replace("master: store ", "master: mirror-2 ")
    assert "topology.yml:11: master: store -> mirror-2" in ran.out
    assert "mirror-2: generation 13: every byte of it is as its manifest says" in ran.out
    assert "debian: generation 12 of mirror-2 is committed, 2 of 2 nodes serve it" in ran.out


@pytest.mark.sandbox
def test_promote_passes_over_what_is_damaged(lost: Keeper, mirror: Any, applied: list[str]) -> None:
    lost.damaged = {"mirror-2": 3}
    data = document(mirror("promote", "debian", "--yes", "--quick", "--json"), "lbkit.mirror-promotion/1")
    assert (data["old"], data["new"], data["generation"]["serial"]) == ("store", "mirror-1", 12)
    assert [each["damaged"] for each in data["verified"]] == [3, 0]
    assert any("generation 13 was fetched and never committed" in words for words in data["lost"])
    assert applied == ["mirror-1"]


@pytest.mark.sandbox
def test_promote_touches_nothing_without_a_yes_or_when_the_apply_does_not_begin(
    lost: Keeper, mirror: Any, applied: list[str]
) -> None:
    ran = mirror("promote", "debian")
    assert (ran.code, applied) == (1, [])
    assert "give --yes" in ran.err
    assert Path("topology.yml").read_text() == faked.TOPOLOGY
    applied[:] = ["fails"]
    ran = mirror("promote", "debian", "--yes")
    assert ran.code == 1
    assert "another apply has it" in ran.err
    assert Path("topology.yml").read_text() == faked.TOPOLOGY


@pytest.mark.parametrize(
    ("words", "stores", "damaged", "found"),
    [
        (["debian", "store"], {}, {}, "found: store is it"),
        (["debian", "mirror-9"], {}, {}, "did you mean 'mirror-"),
        (["debian"], {"mirror-1": Failure("x", found="no route"), "mirror-2": {"serving": 0, "generations": []}}, {}, "mirror-1: no route; mirror-2: it has nothing"),
        (["debian"], {}, {"mirror-1": 1, "mirror-2": 1}, "no generation of theirs is whole"),
    ],
)  # fmt: skip
def test_promote_says_why_there_is_nobody(
    lost: Keeper, mirror: Any, words: list[str], stores: dict[str, Any], damaged: dict[str, int], found: str
) -> None:
    lost.stores |= stores
    lost.damaged = damaged
    ran = mirror("promote", *words, "--yes")
    assert ran.code in {Mistake.exit_code, Failure.exit_code}
    assert found in ran.err
    assert Path("topology.yml").read_text() == faked.TOPOLOGY


def test_promote_does_not_take_a_living_masters_place(keeper: Keeper, mirror: Any) -> None:
    keeper.stores = {"mirror-1": {"serving": 12, "generations": [faked.generation(12)]},
                     "mirror-2": {"serving": 12, "generations": [faked.generation(12)]}}  # fmt: skip
    ran = mirror("promote", "debian", "--yes")
    assert ran.code == 1
    assert "the keeper on store answers: it is not lost" in ran.err
    assert Path("topology.yml").read_text() == faked.TOPOLOGY
