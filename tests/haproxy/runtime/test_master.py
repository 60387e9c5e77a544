"""The master's socket: what `show proc` says, and when a reload has worked or not."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import closing

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.haproxy.runtime import Info, Master, Reload, Workers, ask_master, parse_proc
from tests.haproxy.runtime.peer import recorded

BEFORE = Workers(reloads=3, failed=0, current=(165,), old=())


def info(pid: int) -> Info:
    return Info("2.6.12", pid, 0, 0, 100, stopping=False, description="")


def proc(worker: int, *, failed: int = 0) -> str:
    return recorded("proc-2.6").replace("165", str(worker)).replace("[failed: 0]", f"[failed: {failed}]")


class HandClock(SystemClock):
    """It moves by being slept on."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Said:
    """A master that says one thing at each connection, the last again and again; None: it refuses."""

    def __init__(self, *replies: str | None) -> None:
        self.replies = deque(replies)
        self.master = Master(self.connect)
        self.ends: list[socket.socket] = []

    def connect(self) -> socket.socket:
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        if reply is None:
            raise Failure("a connection was wanted", found="refused")
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        theirs.sendall(reply.encode())
        theirs.shutdown(socket.SHUT_WR)
        return ours

    def close(self) -> None:
        for each in self.ends:
            each.close()


def reload(*replies: str | None, workers: tuple[Info | None, ...]) -> Reload:
    """With a master that says `replies`, and a runtime socket at which `workers` answer one after the other."""
    answers = deque(workers)
    with closing(Said(*replies)) as said:
        return said.master.reload(
            BEFORE, 165, lambda: answers.popleft() if len(answers) > 1 else answers[0], HandClock(), 10
        )


def test_the_master_answers_after_half_close() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(recorded("proc-2.6").encode())
        theirs.shutdown(socket.SHUT_WR)
        said = ask_master(ours, "show proc")
        assert theirs.recv(100) == b"show proc\n"
        assert theirs.recv(100) == b""
    assert parse_proc(said) == Workers(reloads=3, failed=0, current=(165,), old=(155,))


def test_a_failed_reload_is_counted() -> None:
    assert parse_proc(proc(165, failed=2)).failed == 2
    assert parse_proc(recorded("proc-3.0")) == Workers(reloads=2, failed=1, current=(9,), old=(5,))
    assert parse_proc("") == Workers(0, 0, (), ())


def test_a_reload_is_over_when_the_new_worker_answers_and_is_its_masters() -> None:
    """2.6: the master refuses while it executes itself anew, and the worker may answer before it does."""
    replies = ("", None, proc(165), None, proc(200))
    assert reload(*replies, workers=(info(165), info(200))) == Reload(info(200))


def test_a_reload_that_failed_is_known_by_the_count() -> None:
    assert reload("", None, proc(165, failed=1), workers=(info(165),)) == Reload(None)


def test_a_reload_that_never_ends_is_none() -> None:
    assert reload("", proc(165), workers=(info(165),)) == Reload(None)
    assert reload("", None, workers=(None,)) == Reload(None)
    assert reload("", proc(200), workers=(None,)) == Reload(None)


def test_since_2_7_the_master_says_so_itself() -> None:
    failed = reload(recorded("reload-bad-3.0"), workers=(info(165),))
    assert failed.worker is None
    assert "unknown keyword 'bogus'" in failed.words
    assert "Fatal errors" not in failed.words
    assert reload("Success=1\n--\n", proc(200), workers=(info(200),)) == Reload(info(200))


def test_a_master_that_does_not_answer_has_no_workers() -> None:
    for said in (Said(None), Said("")):
        with closing(said):
            assert said.master.workers() is None
    with pytest.raises(Failure):
        reload(None, workers=(info(165),))
