"""`lbkit top`: what goes through now, line by line where no terminal is, and on one until somebody leaves."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lbkit.engine.traffic import Counters, Sample, Traffic, flows, summed
from lbkit.faces.render.top import _bytes, _number, view
from tests.faces.conftest import Lbkit

VIEW = """\
shop  TIME UTC  30k requests/s  6 sessions  4 queued  2.50 errors/s  1 of 2 servers up
shop at lb-3: HAProxy does not run
                       req/s  in/s  out/s  sess  queue  err/s  5xx/s  state    check           weight
frontend shop/http       30k  4 MB   7 kB     6      0   0.50      0
backend shop/web         30k   0 B    0 B     6      4      2      0  UP
server shop/web/web-1   14.5  2 kB    0 B     6      0      2      0  UP/DOWN  L7OK 200/L4CON  10
server shop/web/web-2      0   0 B    0 B     6      0      0      0  UP       L7OK 200        1
"""


def without_time(text: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d UTC", "TIME UTC", text)


def test_one_view_is_plain_text(lbkit: Lbkit) -> None:
    told = lbkit("top", "--count", "1", "--interval", "100ms")
    assert (told.code, told.err) == (0, "")
    assert without_time(told.out) == VIEW


def test_views_follow_each_other_and_a_reload_is_no_minus(lbkit: Lbkit) -> None:
    told = lbkit("top", "--count", "2", "--interval", "100ms")
    first, second = without_time(told.out).split("\n\n")
    assert first + "\n" == VIEW
    assert second.startswith("shop  TIME UTC  15k requests/s"), "lb-2's counters began anew at none"


def test_each_machine_by_itself(lbkit: Lbkit) -> None:
    told = lbkit("top", "--count", "1", "--interval", "100ms", "--each").out
    lines = {" ".join(line.split()[:5]) for line in told.splitlines()}
    assert "server shop/web/web-1 at lb-1 7.25" in {" ".join(line.split()[:5]) for line in told.splitlines()}
    assert any(line.startswith("server shop/web/web-1 at lb-2") for line in lines)
    assert "1 of 2 servers up" in told


def test_programs_read_one_document_of_all_views(lbkit: Lbkit) -> None:
    data = json.loads(lbkit("top", "--json", "--interval", "100ms", "--count", "2").out)
    assert len(data["views"]) == 2
    (front, *_) = data["views"][0]["flows"]
    assert (front["path"], front["places"], front["rates"]["requests"]) == (
        "shop/http",
        ["lb-1", "lb-2"],
        30000,
    )
    assert len(json.loads(lbkit("top", "--json", "--interval", "100ms").out)["views"]) == 1


@pytest.mark.parametrize(
    "words",
    [("--interval", "0"), ("--interval", "soon"), ("--count", "0"), ("--count", "-1"), ("--count", "²")],
)
def test_what_cannot_be_meant_is_a_mistake(lbkit: Lbkit, words: tuple[str, str]) -> None:
    assert lbkit("top", *words).code == 64


def test_ten_thousand_servers_fit_a_terminal_the_worst_of_them() -> None:
    def sample(number: int) -> Sample:
        return Sample(
            "server", f"shop/web/web-{number}", "lb-1", "7", 1.0, number != 7777,
            "DOWN" if number == 7777 else "UP", "", 1, 0, 0, Counters(),
        )  # fmt: skip

    now = Traffic(tuple(sample(number) for number in range(10_000)), ("shop at lb-2: HAProxy does not run",))
    console = Console(width=100, height=24, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(view("shop", datetime(2030, 1, 1, tzinfo=UTC), summed(flows(now, now)), now, lines=23))
    lines = console.export_text().splitlines()
    assert len(lines) == 23
    assert "9,999 of 10,000 servers up" in lines[0]
    assert lines[3].startswith("server shop/web/web-7777")
    assert lines[-1].startswith("9,981 more servers")


@given(st.integers(60, 200), st.integers(5, 60))
def test_a_narrow_screen_leaves_columns_out_and_cuts_no_number(width: int, height: int) -> None:
    counters = Counters(*[12_345_678] * 7)
    one = Sample(
        "server",
        "shop/web/192-0-2-17-in-a-far-room",
        "lb-1",
        "7",
        1.0,
        True,
        "UP",
        "L7OK 200",
        100,
        9,
        9,
        counters,
    )
    now = Traffic(tuple(one._replace(path=f"{one.path}-{number}") for number in range(30)))
    rates = flows(Traffic(tuple(each._replace(at=0.0, counters=Counters()) for each in now.samples)), now)
    console = Console(width=width, height=height, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(
            view("shop", datetime(2030, 1, 1, tzinfo=UTC), rates, now, lines=height - 1, width=width)
        )
    lines = console.export_text().splitlines()
    assert len(lines) <= height - 1
    assert max(len(line) for line in lines) <= width
    first = lines[2].split()
    assert first[1].endswith("far-room-0")
    assert first[2] == "12.3M"
    assert "err/s" in lines[1]
    assert "req/s" in lines[1]
    assert (" weight" in lines[1]) is ("100" in first)


@given(st.floats(0, 1e14))
def test_numbers_are_short(rate: float) -> None:
    assert len(_number(rate)) <= 9
    assert len(_bytes(rate)) <= 12


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.5, "0.50"),
        (12.34, "12.3"),
        (999.9, "1,000"),
        (9999, "9,999"),
        (12_340, "12.3k"),
    ],
)
def test_a_number_keeps_what_counts(rate: float | None, text: str) -> None:
    assert _number(rate) == text


@pytest.mark.parametrize("leave", [b"q", b"\x03"])
def test_at_a_terminal_it_stays_until_a_person_leaves(leave: bytes, tmp_path: object) -> None:
    """A topology that never stood: there is nothing to see, and it is watched all the same."""
    file = f"{tmp_path}/topology.yml"
    with open(file, "w") as stream:
        stream.write("lbkit: 1\nname: nothing\n")
    child, terminal = pty.fork()
    if child == 0:
        words = ["top", file, "--run-dir", f"{tmp_path}/run", "--interval", "100ms"]
        os.execv(sys.executable, [sys.executable, "-m", "lbkit", *words])
    said = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(terminal, 4096):
            before = said
            said += part
            if b"nothing" in said and b"nothing" not in before:
                os.write(terminal, leave)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said
    assert said.endswith(b"\x1b[?1049l"), "the screen is as before"
