"""Nobody who becomes a service is missed, whenever one looks: real processes, held where a loaded host leaves them long."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lbkit.machine.local import proc
from lbkit.machine.local.proc import Stat, census, read_stat, service_mark
from tests.machine.world import PYTHON, until

MARK = f"t{secrets.token_hex(4)}/m/app"  # no other test's: to stop a service is to end whoever bears its mark
ENVIRONMENT = {proc.SERVICE: MARK, "PATH": os.environ["PATH"]}
LISTDIR, READ, LOOK = os.listdir, proc._read, proc._look


@contextmanager
def python(code: str, *, marked: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """One that says `up` when it is where it shall be."""
    environment = ENVIRONMENT if marked else {}
    with subprocess.Popen(
        [PYTHON, "-I", "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


def marked_in(found: dict[Stat, str]) -> set[int]:
    return {stat.pid for stat, mark in found.items() if mark == MARK}


def listed(monkeypatch: pytest.MonkeyPatch, *lists: list[int]) -> list[list[int]]:
    """What is in /proc from look to look, the last of them for ever; gives those that are not read yet."""
    left = [*lists]

    def listdir(path: str) -> list[str]:
        if path != "/proc":
            return LISTDIR(path)
        return [str(pid) for pid in (left.pop(0) if len(left) > 1 else left[0])]

    monkeypatch.setattr(os, "listdir", listdir)
    return left


LEADER_LEAVES = """
import ctypes, subprocess, threading, time
child = subprocess.Popen(["sleep", "1000"])
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
print("up", flush=True)
print(child.pid, flush=True)
input()
ctypes.CDLL(None).pthread_exit(None)
"""


@contextmanager
def leaving_at_a_word() -> Iterator[tuple[int, int, Callable[[], None]]]:
    """Of a process on its way to its end, the memory is gone while the process is still there. A leader that ended
    before another thread of its process is just so, for as long as one likes. Its pid, its child's, and the word.
    """
    with python(LEADER_LEAVES) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, child = process.stdin, int(process.stdout.readline())

        def leave() -> None:
            stdin.write(b"\n")
            stdin.flush()
            until(lambda: (stat := read_stat(process.pid)) is not None and stat.leaving, "its leader leaves")
            stat = read_stat(process.pid)
            assert stat is not None
            assert (stat.dead, service_mark(process.pid)) == (False, "")

        try:
            yield process.pid, child, leave
        finally:
            os.kill(child, 9)


def test_the_child_of_one_that_is_leaving_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with leaving_at_a_word() as (pid, child, leave):
        leave()
        listed(monkeypatch, [pid], [pid, child])
        assert marked_in(census()) == {child}


def test_one_that_leaves_between_two_looks_was_seen_with_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one ended, so there is a second look; in that, it is as if the first had no mark, and has no child yet."""
    with leaving_at_a_word() as (pid, _, leave), subprocess.Popen(["true"]) as other:
        other.wait()
        left = listed(monkeypatch, [other.pid, pid], [pid])

        def look() -> tuple[dict[Stat, str], set[int]]:
            if len(left) == 1:
                leave()
            return LOOK()

        monkeypatch.setattr(proc, "_look", look)
        assert {stat.pid: mark for stat, mark in census().items()} == {pid: MARK}


def test_one_that_comes_and_goes_during_the_second_look_makes_a_third(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chain: each forks and ends before it is seen."""
    first, second = (subprocess.Popen(["true"]) for _ in range(2))
    first.wait()
    second.wait()
    with python("print('up', flush=True); input()") as third:
        left = listed(monkeypatch, [first.pid], [second.pid], [third.pid])
        assert marked_in(census()) == {third.pid}
        assert left == [[third.pid]]


def test_those_who_ended_before_make_no_look_more(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def look() -> tuple[dict[Stat, str], set[int]]:
        nonlocal looks
        looks += 1
        return {}, {1000}

    monkeypatch.setattr(proc, "_look", look)
    census()
    assert looks == 2


EXECUTES = f"""
import os
print("up", flush=True)
input()
os.execve("/bin/sleep", ["sleep", "1000"], {{"LBKIT_SERVICE": "{MARK}"}})
"""


def test_one_that_executes_between_opening_and_reading_its_environment_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The descriptor is of the memory from before, which is gone: there is nothing to read."""
    with python(EXECUTES) as process:
        empty: list[bytes] = []

        def read(path: str) -> bytes:
            if empty or path != f"/proc/{process.pid}/environ":
                return READ(path)
            with open(path, "rb", buffering=0) as stream:
                assert process.stdin is not None
                process.stdin.write(b"\n")
                process.stdin.flush()
                until(lambda: READ(f"/proc/{process.pid}/comm") == b"sleep\n", "it executes")
                until(lambda: READ(path), "it has executed")
                empty.append(stream.readall())
                return empty[0]

        monkeypatch.setattr(proc, "_read", read)
        assert service_mark(process.pid) == MARK
        assert empty == [b""]


def test_one_without_an_environment_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it was waited for"))
    with python(
        "import os; os.execve('/bin/sh', ['sh', '-c', 'echo up; read x'], {})", marked=False
    ) as process:
        assert service_mark(process.pid) == ""
    assert service_mark(2) == "", "a thread of the kernel, where they are seen"
