"""What people see, letter by letter: off a terminal nothing is cut, coloured, or left with spaces at its end."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lbkit.base.secrets import Secret
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.faces.render.difference import before_and_after, difference
from lbkit.faces.render.harmless import harmless
from tests.engine.model_room import thing
from tests.faces.conftest import Lbkit
from tests.faces.toy import CONFIG, ToyRoom

PLAN = """\
shop: 4 changes in 3 waves, impact at worst disruptive

wave  change         impact      why
   1  ~ thing floor  reload      value differs
      - thing roof   disruptive  it is no longer declared
   2  + thing wall   none        new
   3  + thing door   none        new

+ 2 to create, ~ 1 to update, - 1 to delete
"""

DETAIL = f"""\

~ thing floor
    - value: 1
    + value: 2

- thing roof
    - value: 1

+ thing wall
    --- config now
    +++ config then
    @@ -0,0 +1,4 @@
    +global
    +  maxconn 100
    +frontend shop
    +  bind :80
    + key: {Secret(b"hunter2")}

+ thing door
    + value: 1
"""

STATUS = """\
thing         stands  health  detail
thing door    no      down    it does not stand
thing floor   yes     up      as it should be
  thing wall  no      down    it does not stand

shop: 1 of 3 stand, 1 up, 2 down
"""

EXPLAIN = """\
shop/web/web-1
yes the server is declared
NO  it answers its health check
      GET /healthz: 503
      since 4 s
--  1 of 3 requests would go here
"""


def test_a_plan(lbkit: Lbkit) -> None:
    assert lbkit("plan").out == PLAN


def test_a_plan_in_detail(lbkit: Lbkit) -> None:
    told = lbkit("plan", "--detail").out
    head, tail = PLAN.split("\n+ 2 to")
    assert told == f"{head}{DETAIL}\n+ 2 to{tail}"


def test_steps_that_are_left_out_are_counted_and_the_option_that_shows_them_is_one(
    lbkit: Lbkit, room: ToyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tuple(f"set server web/web-{number} weight 1" for number in range(1, 31))
    update = Verdict(Action.UPDATE, Impact.HITLESS, "weights", steps)
    monkeypatch.setattr(room, "judge_update", lambda *_: update)
    short = lbkit("plan").out
    assert "web-20 " in short
    assert "web-21 " not in short
    (hint,) = [line for line in short.splitlines() if "and 10 more" in line]
    options = re.findall("--[a-z]+", hint)
    assert options == ["--detail", "--json"]
    for option in options:
        assert "web-30 " in lbkit("plan", option).out


def test_status_and_explain(lbkit: Lbkit) -> None:
    assert lbkit("status").out == STATUS
    assert lbkit("explain", "shop/web/web-1").out == EXPLAIN
    told = lbkit("explain", "shop/web/web-2")
    assert told.code == 64
    assert "did you mean 'shop/web/web-1'?" in told.err


def test_doctor_says_what_is_missing_and_how_to_mend_it(lbkit: Lbkit) -> None:
    told = lbkit("doctor")
    assert told.code in {0, 1}
    assert "ok      kernel: 6.1\nwithout nft: not found\n        apt install nftables\n" in told.out


def test_a_long_line_is_not_cut_where_no_terminal_is(lbkit: Lbkit, room: ToyRoom) -> None:
    name = "x" * 500
    room.wanted = {Key("thing", name): thing(name)}
    assert f"+ thing {name}" in lbkit("plan").out


def test_what_steers_a_terminal_is_shown_and_not_obeyed(lbkit: Lbkit, room: ToyRoom) -> None:
    name = "a\x1b[2Jb\x9b1m[red]c[/red]\u202e"
    room.wanted = {Key("thing", name): thing(name)}
    told = lbkit("plan").out
    assert "\x1b" not in told
    assert r"a\x1b[2Jb\x9b1m[red]c[/red]\u202e" in told
    assert harmless("tab\tand\nline") == "tab\tand\nline"


def changed(before: dict[str, object] | None, after: dict[str, object] | None) -> Change:
    key = Key("haproxy", "lb-1/shop")
    return Change(
        key,
        Action.UPDATE,
        Impact.RELOAD,
        "it differs",
        None if after is None else Desired(key, after),
        None if before is None else Actual(key, before, "shop"),
    )


def test_a_difference_is_a_unified_diff_of_texts_and_shows_only_what_is_wanted() -> None:
    change = changed(
        {"config": CONFIG, "mode": "0644", "pid": 77},
        {"config": CONFIG.replace("100", "200"), "mode": "0644"},
    )
    assert difference(change) == [
        "--- config now",
        "+++ config then",
        "@@ -1,4 +1,4 @@",
        " global",
        "-  maxconn 100",
        "+  maxconn 200",
        " frontend shop",
        "   bind :80",
    ]
    before, after = before_and_after([change])
    assert "maxconn 100" in before
    assert "maxconn 200" in after
    assert "pid" not in before + after


@pytest.mark.parametrize(("before", "after"), [(None, {"a": 1}), ({"a": 1}, None), ({"a": 1}, {"a": 1})])
def test_every_change_differs_in_its_two_texts(
    before: dict[str, object] | None, after: dict[str, object] | None
) -> None:
    one, other = before_and_after([changed(before, after)])
    assert one != other


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_colours_are_for_terminals_and_for_those_who_want_them(variables: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", **variables}
    environment.pop("NO_COLOR", None) if not variables else None
    subprocess.run(
        [sys.executable, "-m", "lbkit", "plan", "/nowhere.yml"],
        stdout=theirs, stderr=theirs, stdin=theirs, env=environment, check=False, timeout=60, cwd=Path.cwd(),
    )  # fmt: skip
    os.close(theirs)
    told = os.read(ours, 65536).decode()
    os.close(ours)
    assert "error: " in told
    assert ("\x1b[1;31m" in told) is not bool(variables)
