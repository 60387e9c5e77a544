"""The command line's promises: exit codes, one place where everything ends, and what was agreed to."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Bug
from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.base.problems import InvalidDocument, Problem
from lbkit.engine.change import Change
from lbkit.engine.resource import Key
from lbkit.topology.schema import json_schema
from tests.engine.model_room import stand, thing
from tests.faces.conftest import Lbkit
from tests.faces.toy import ToyRoom

COMMANDS = [
    "validate", "schema", "plan", "apply", "destroy", "status", "graph", "explain", "doctor", "sandbox", "demo",
    "keygen", "hold", "release", "top", "watch", "image", "mirror", "import",
]  # fmt: skip


def process(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lbkit", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **more,
    )  # type: ignore[call-overload]


def test_plan_tells_by_its_exit_code_whether_there_is_something_to_do(lbkit: Lbkit) -> None:
    assert lbkit("plan").code == 2
    assert lbkit("apply", "--yes").code == 0
    assert lbkit("plan").code == 0
    assert lbkit("plan", "--destroy").code == 2


def test_apply_makes_the_world_as_declared_and_destroy_leaves_nothing_but_what_is_foreign(
    lbkit: Lbkit, room: ToyRoom
) -> None:
    told = lbkit("apply", "--yes")
    assert told.code == 0
    assert "shop stands as declared: 4 changes in" in told.out
    assert "done + thing door" in told.out
    assert {key.name for key in room.world} == {"floor", "wall", "door", "tree"}
    told = lbkit("destroy", "--yes")
    assert "shop is gone: 3 changes in" in told.out
    assert {key.name for key in room.world} == {"tree"}


def test_a_part_goes_by_its_name_where_nothing_that_stays_needs_it(
    lbkit: Lbkit, room: ToyRoom, answers: list[str]
) -> None:
    lbkit("apply", "--yes")
    told = lbkit("destroy", "--yes", "--only", "thing/wall")
    assert told.code == 1
    assert (
        "thing wall of shop was to be removed, and nothing that needs it\n  found: thing door needs thing wall"
        in told.err
    )
    assert lbkit("plan", "--destroy", "--only", "thing/door").code == 2
    assert {key.name for key in room.world} == {"floor", "wall", "door", "tree"}
    answers.append("y")
    told = lbkit("destroy", "--only", "thing/door", "--only", "thing/wall")
    assert "Remove that part of it? [y/N]" in told.out
    assert "that part of shop is gone: 2 changes in" in told.out
    assert {key.name for key in room.world} == {"floor", "tree"}
    told = lbkit("destroy", "--only", "thing/door")
    assert (told.code, told.out) == (0, "nothing of that part of shop stands: nothing to do\n")
    assert lbkit("destroy", "--only", "thnig/door", "--yes").code == 64
    assert (
        lbkit("apply", "--yes", "--only", "thing/wall").out.count(
            "that part of shop stands as declared: 1 change in"
        )
        == 1
    )


def test_an_apply_with_nothing_to_do_asks_nobody(lbkit: Lbkit) -> None:
    lbkit("apply", "--yes")
    told = lbkit("apply")
    assert told.code == 0
    assert told.out == "shop stands as declared: nothing to do\n"


@pytest.mark.parametrize("words", [["apply"], ["destroy"], ["apply", "--json"]])
def test_where_nobody_can_be_asked_it_takes_yes(lbkit: Lbkit, room: ToyRoom, words: list[str]) -> None:
    told = lbkit(*words)
    assert told.code == 1
    assert not room.log
    assert "give --yes" in told.out + told.err


def test_a_person_is_asked_and_may_say_no(lbkit: Lbkit, room: ToyRoom, answers: list[str]) -> None:
    answers[:] = ["n"]
    told = lbkit("apply")
    assert told.code == 1
    assert "Carry this out? [y/N]" in told.out
    assert "nothing was touched" in told.err
    assert not room.log
    answers[:] = ["y"]
    assert lbkit("apply").code == 0
    assert room.log


def test_a_plan_that_the_world_overtook_is_shown_anew_and_asked_for_anew(
    lbkit: Lbkit, room: ToyRoom, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    real = operate.apply

    def overtaken(*given: object, **more: object) -> object:
        if not answers_given:
            room.world.pop(Key("thing", "roof"))  # somebody else took it off in between
        answers_given.append(1)
        return real(*given, **more)  # type: ignore[arg-type]

    answers_given: list[int] = []
    monkeypatch.setattr(operate, "apply", overtaken)
    answers[:] = ["y", "n"]
    told = lbkit("apply")
    assert "The world has changed in between" in told.out
    assert told.out.count("- thing roof") == 1
    assert told.out.count("+ thing door") == 2
    assert told.code == 1
    assert not room.log


def test_with_yes_the_new_plan_is_carried_out(
    lbkit: Lbkit, room: ToyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = operate.apply
    monkeypatch.setattr(
        operate,
        "apply",
        lambda *given, **more: (room.world.pop(Key("thing", "roof"), None), real(*given, **more))[1],
    )
    told = lbkit("apply", "--yes")
    assert told.code == 0
    assert "3 changes in" in told.out


def test_a_world_that_never_holds_still_ends_as_a_failure(
    lbkit: Lbkit, room: ToyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = operate.apply

    def restless(*given: object, **more: object) -> object:
        have = room.world[Key("thing", "floor")]
        room.world[have.key] = stand(thing("floor", have.state["value"] + 10))
        return real(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(operate, "apply", restless)
    told = lbkit("apply", "--yes", "--json")
    assert told.code == 1
    data = json.loads(told.out)
    assert data["error"] == "PlanChanged"
    assert data["plan"]["schema"] == "lbkit.plan/1"
    assert not room.log


def test_a_failure_says_what_was_done_and_what_was_not(lbkit: Lbkit, room: ToyRoom) -> None:
    room.fail_on = Key("thing", "wall")
    told = lbkit("apply", "--yes")
    assert told.code == 1
    assert "done ~ thing floor" in told.out
    assert "thing wall was to be made" in told.err
    assert "not done: create thing door" in told.err
    told = lbkit("apply", "--yes", "--json")
    data = json.loads(told.out)
    assert (data["schema"], data["error"], data["exit_code"]) == ("lbkit.error/1", "ApplyFailed", 1)
    assert data["not_done"] == ["create thing wall", "create thing door"]
    assert data["cause"]["found"] == "no more room"


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_person_should_know_is_told_at_the_end_failure_or_not(
    lbkit: Lbkit, room: ToyRoom, *, fails: bool
) -> None:
    wall = Key("thing", "wall")
    room.noted = {wall: "not up within 15 s: web/web-4 (L4CON)"}
    room.fail_on = wall if fails else None
    told = lbkit("apply", "--yes")
    assert told.out.splitlines()[-1] == "note: thing wall: not up within 15 s: web/web-4 (L4CON)"
    room.world.pop(wall, None)
    data = json.loads(lbkit("apply", "--yes", "--json").out)
    assert data["notes"] == ["thing wall: not up within 15 s: web/web-4 (L4CON)"]


def test_an_interrupted_apply_says_how_far_it_came_and_leaves_no_lock(
    lbkit: Lbkit, room: ToyRoom, tmp_path: Path
) -> None:
    def interrupt(change: Change) -> None:
        if change.key.name == "door":
            raise KeyboardInterrupt

    room.at = interrupt
    told = lbkit("apply", "--yes", "--json")
    assert told.code == 130
    data = json.loads(told.out)
    assert data["error"] == "Interrupted"
    assert "create thing wall" in data["done"]
    assert data["not_done"] == ["create thing door"]
    assert not list((tmp_path / "run").glob("*.lock"))
    room.at = None
    assert lbkit("apply", "--yes").code == 0


def test_what_lbkit_did_not_make_is_named_and_left_alone_unless_adopted(lbkit: Lbkit, room: ToyRoom) -> None:
    tree = thing("tree", 7)
    room.wanted[tree.key] = tree
    told = lbkit("apply", "--yes")
    assert told.code == 1
    assert "--adopt thing/tree" in told.err
    assert not room.log
    assert lbkit("apply", "--yes", "--adopt", "thing/tree").code == 0
    assert room.world[tree.key].owner == "shop"


@pytest.mark.parametrize(("text", "remedy"), [("thing", "KIND/NAME"), ("thin/x", "did you mean 'thing'?")])
def test_a_thing_to_adopt_is_named_by_kind_and_name(lbkit: Lbkit, text: str, remedy: str) -> None:
    told = lbkit("plan", "--adopt", text)
    assert told.code == 64
    assert remedy in told.err


def test_what_is_held_is_told_listed_and_released(lbkit: Lbkit) -> None:
    told = lbkit("hold", "web.yml", "shop/web/web-1", "--reason", "disk", "--until", "2999-01-31T14:00Z")
    assert told.code == 0
    head, *lines = told.out.splitlines()
    assert re.fullmatch(r"shop/web/web-1 is held by \S+ until 2999-01-31 14:00:00 UTC: disk", head)
    assert lines == [
        "yes lb-1: drained", "      set server web/web-1 state ...", "--  lb-2: HAProxy does not run",
    ]  # fmt: skip
    for words in (["hold"], ["hold", "--list"], ["hold", "--list", "web.yml"]):
        assert lbkit(*words).out == head + "\n"
    assert f"note: {head}" in lbkit("plan").out
    told = lbkit("release", "shop/web/web-1")
    assert told.out.splitlines()[:2] == ["shop/web/web-1 is released", "yes lb-1: UP"]
    assert lbkit("release", "shop/web/web-1").out == "shop/web/web-1 was not held: nothing to do\n"
    assert lbkit("hold").out == "shop: nothing is held\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hold", "shop/web/web-3", "--reason", "disk"], "did you mean 'shop/web/web-"),
        (["hold", "shop/web/web-1"], "--reason"),
        (["hold", "shop/web/web-1", "--reason", ""], "one line"),
        (["hold", "shop/web/web-1", "--reason", "disk", "--until", "soon"], "write 30m, 2h"),
        (["hold", "shop/web/web-1", "--reason", "disk", "--until", "9" * 30 + "d"], "too far away"),
        (["hold", "shop/web/web-1", "--reason", "disk", "--until", "2001-01-01T00:00"], "in the future"),
        (["release", "shop/web/web-3"], "did you mean 'shop/web/web-"),
    ],
)
def test_a_hold_that_cannot_be_meant_is_a_mistake(lbkit: Lbkit, words: list[str], said: str) -> None:
    told = lbkit(*words)
    assert told.code == 64
    assert said in told.err
    assert lbkit("hold").out == "shop: nothing is held\n"


def test_a_hold_that_was_not_carried_out_stands_and_is_a_failure(lbkit: Lbkit, room: ToyRoom) -> None:
    room.refuses = True
    told = lbkit("hold", "shop/web/web-1", "--reason", "disk")
    assert told.code == 1
    assert "web-1 was to be drained" in told.err
    assert "shop/web/web-1 is held by" in lbkit("hold").out


def test_a_hold_waits_for_the_lock_as_an_apply_does(lbkit: Lbkit, tmp_path: Path) -> None:
    for words in (["hold", "shop/web/web-1", "--reason", "disk"], ["release", "shop/web/web-1"]):
        with locked(tmp_path / "run" / "shop.lock", SystemClock()):
            told = lbkit(*words, "--lock-timeout", "10ms")
        assert told.code == 1
        assert f"pid {os.getpid()}" in told.err


def test_mistakes_in_the_file_are_all_told_with_their_lines(
    lbkit: Lbkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = [
        Problem(("machines", "web"), "a group", "a number", where="t.yml:3"),
        Problem(("dns",), "a mapping", remedy="did you mean 'dns'?", where="t.yml:9"),
    ]

    def refuse(_file: object) -> None:
        raise InvalidDocument("t.yml", problems)

    monkeypatch.setattr(operate, "load", refuse)
    told = lbkit("validate", "t.yml")
    assert told.code == 64
    assert "t.yml:3: machines.web: a group" in told.err
    assert "t.yml:9: dns: a mapping" in told.err
    assert not told.out
    data = json.loads(lbkit("validate", "--json").out)
    assert [problem["where"] for problem in data["problems"]] == ["t.yml:3", "t.yml:9"]
    assert data["problems"][0]["path"] == "machines.web"


def test_a_sound_file_is_ok_with_its_counts(lbkit: Lbkit) -> None:
    assert lbkit("validate").out == "ok: topology shop declares 3 thing\n"
    assert json.loads(lbkit("validate", "--json").out)["declares"] == {"thing": 3}


@pytest.mark.parametrize("error", [ZeroDivisionError("a sum"), Bug("two keys were to differ")])
def test_a_bug_is_told_as_one_and_its_traceback_kept(
    lbkit: Lbkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def fail(_file: object) -> None:
        raise error

    monkeypatch.setattr(operate, "load", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = lbkit("plan")
    assert told.code == 70
    assert "this is lbkit's mistake, not yours" in told.err
    (kept,) = tmp_path.glob("lbkit-bug-*.txt")
    assert str(kept) in told.err
    assert type(error).__name__ in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    assert "Traceback" in lbkit("plan", "--debug").err


@pytest.mark.parametrize("words", [["plam"], ["plan", "--nothing"], ["apply", "--lock-timeout", "soon"], []])
def test_a_mistake_on_the_command_line_is_one_like_any_other(words: list[str]) -> None:
    told = process(*words)
    assert told.returncode == 64
    assert told.stderr.startswith("error: ")
    told = process(*words, "--json")
    assert told.returncode == 64
    assert json.loads(told.stdout)["exit_code"] == 64
    assert not told.stderr


def test_a_near_miss_of_a_command_is_told() -> None:
    assert "did you mean 'plan'?" in process("plam").stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    told = process(command, "--help")
    assert told.returncode == 0
    assert f"usage: lbkit {command}" in told.stdout
    assert "--json" in told.stdout


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom lbkit.faces.cli import main\n"
        "try:\n main(['--help'])\nexcept SystemExit:\n pass\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = set(told.stderr.split())
    assert "lbkit.faces.cli" in modules
    heavy = {"pydantic", "rich", "yaml", "dns", "pyroute2", "subprocess", "asyncio", "tempfile", "json"}
    assert not modules & heavy
    assert not {
        name for name in modules if name.startswith(("lbkit.engine", "lbkit.topology", "lbkit.network"))
    }


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    told = subprocess.run(
        [sys.executable, "-m", "lbkit", "doctor", "--json"],
        stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(write)
    assert told.returncode == 141
    assert not told.stderr


@pytest.mark.parametrize("words", [["doctor", "--json"], ["doctor"], ["schema"]])
def test_output_that_cannot_be_written_is_a_failure(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "lbkit", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr.startswith("error: the output was to be written")
    assert "Traceback" not in told.stderr


def test_a_lock_that_another_holds_is_told_with_its_holder(lbkit: Lbkit, tmp_path: Path) -> None:
    with locked(tmp_path / "run" / "shop.lock", SystemClock()):
        told = lbkit("apply", "--yes", "--lock-timeout", "10ms")
    assert told.code == 1
    assert f"pid {os.getpid()}" in told.err


@pytest.mark.parametrize("words", [["schema"], ["schema", "--json"]])
def test_schema_prints_the_language_as_an_editor_reads_it(words: list[str]) -> None:
    told = process(*words)
    assert (told.returncode, told.stderr) == (0, "")
    printed = json.loads(told.stdout)
    assert printed == json_schema()
    assert {"networks", "machines", "load_balancers", "dns"} <= set(printed["properties"])


def at_a_terminal(answer: bytes, *words: str) -> tuple[int, str]:
    """The exit code and the output of lbkit for a person who types `answer` once asked."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lbkit", *words]
    with os.fdopen(ours, "rb+", buffering=0) as terminal:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # EIO: the last one who held the other end closed it
            while part := terminal.read(4096):
                before = said
                said += part
                if b"[y/N]" in said and b"[y/N]" not in before:
                    terminal.write(answer)
        return process.wait(timeout=60), said.decode()


@pytest.mark.sandbox
def test_apply_and_destroy_ask_at_a_real_terminal(host: Host, topology_name: str, tmp_path: Path) -> None:
    file = tmp_path / "topology.yml"
    file.write_text(f"lbkit: 1\nname: {topology_name}\nnetworks: {{in: {{cidr: 10.80.0.0/24}}}}\n")
    words = (str(file), "--run-dir", str(host.run_dir))
    scope = operate.load(file)
    for answer, code, stands in ((b"n\n", 1, False), (b"\n", 1, False), (b"y\n", 0, True)):
        ended, said = at_a_terminal(answer, "apply", *words)
        assert (ended, "Carry this out? [y/N]" in said) == (code, True), said
        assert bool(operate.plan(scope, host, absent=True)) is stands
    for answer, code, stands in ((b"n\n", 1, True), (b"y\n", 0, False)):
        ended, said = at_a_terminal(answer, "destroy", *words)
        assert (ended, "Remove all of it? [y/N]" in said) == (code, True), said
        assert bool(operate.plan(scope, host, absent=True)) is stands
