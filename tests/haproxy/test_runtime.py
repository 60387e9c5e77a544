"""The runtime client against recorded replies of HAProxy 2.6; against a running one in test_real.py."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Bug
from lbkit.haproxy.runtime import (
    Runtime,
    RuntimeFailure,
    Workers,
    ask_master,
    parse_proc,
    parse_stat,
    state_of,
)

RECORDED = Path(__file__).with_name("recorded")


def recorded(name: str) -> str:
    return (RECORDED / f"{name}-2.6.txt").read_text()


REPLIES = {
    "prompt": "\n",
    "show info": recorded("info"),
    "show stat": recorded("stat"),
    "show servers state": recorded("servers-state"),
    "set server web/web-1 state maint": "\n",
    "set server web/no state maint": "No such server.\n\n",
    "bogus": "Unknown command, but maybe one of the following ones is a better match:\n  show fd\n\n",
}


@contextmanager
def answering(replies: dict[str, str], *, pieces: int = 1 << 20) -> Iterator[socket.socket]:
    """The client's end of a connection whose other end answers as HAProxy does in prompt mode, in pieces."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)

    def answer() -> None:
        with theirs, theirs.makefile("rb") as commands:
            for command in commands:
                reply = replies.get(command.decode().strip())
                if reply is None:
                    return
                data = reply.encode() + b"> "
                for start in range(0, len(data), pieces):
                    theirs.sendall(data[start : start + pieces])

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with ours:
            yield ours
    finally:
        thread.join()


@pytest.mark.parametrize("pieces", [1, 7, 1 << 20])
def test_what_a_process_says_of_itself(pieces: int) -> None:
    with answering(REPLIES, pieces=pieces) as link, Runtime(link) as runtime:
        info = runtime.info()
    assert info.version == "2.6.12-1+deb12u4"
    assert info.digest == "92c664bea739b470eee21723fa3f7626"
    assert (info.maxconn, info.stopping) == (2000, False)


def test_statistics_as_rows() -> None:
    with answering(REPLIES, pieces=100) as link, Runtime(link) as runtime:
        rows = {(row.proxy, row.server): row for row in runtime.stat()}
    assert [key for key, row in rows.items() if row.is_server] == [("web", f"web-{n}") for n in (1, 2, 3, 4)]
    assert [row.up for row in rows.values() if row.is_server] == [True, False, False, False]
    assert rows["web", "web-1"].weight == 3
    assert (rows["web", "web-1"].check, rows["web", "web-1"].code) == ("L7OK", "200")
    assert (rows["web", "web-2"].check, rows["web", "web-2"].words) == ("L4CON", "Layer4 connection problem")
    assert rows["web", "web-3"].backup
    assert rows["web", "web-4"].status == "DRAIN"
    assert rows["web", "web-4"].address == "[::1]:9004"
    assert not rows["web", "BACKEND"].backup


def test_an_error_names_the_command_and_has_haproxys_words() -> None:
    with answering(REPLIES) as link, Runtime(link, where="haproxy lb-1/shop") as runtime:
        runtime.do("set server web/web-1 state maint")
        with pytest.raises(RuntimeFailure, match="state maint") as caught:
            runtime.do("set server web/no state maint")
        assert caught.value.found == "No such server."
        assert caught.value.where == "haproxy lb-1/shop"
        with pytest.raises(RuntimeFailure, match="Unknown command"):
            runtime.ask("bogus")


@pytest.mark.parametrize("reply", ["", "Name: HAProxy\n", "Permission denied\n", "\n"])
def test_what_is_no_answer_is_a_failure(reply: str) -> None:
    for command in ("info", "stat", "servers_state"):
        name = {"info": "show info", "stat": "show stat", "servers_state": "show servers state"}[command]
        with answering(REPLIES | {name: f"{reply}\n"}) as link, Runtime(link) as runtime:
            with pytest.raises(RuntimeFailure) as caught:
                getattr(runtime, command)()
            assert caught.value.command == name


def test_a_closed_connection_is_a_failure() -> None:
    with answering({"prompt": "\n"}) as link, Runtime(link) as runtime, pytest.raises(RuntimeFailure):
        runtime.info()


@pytest.mark.parametrize("command", ["show info\nset x", "a;b", "a\0b", "set ssl cert <<", "a\rb"])
def test_a_command_is_one_line_and_one_command(command: str) -> None:
    with answering(REPLIES) as link, Runtime(link) as runtime, pytest.raises(Bug):
        runtime.ask(command)


def test_the_master_answers_after_half_close() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(recorded("proc").encode())
        theirs.shutdown(socket.SHUT_WR)
        said = ask_master(ours, "show proc")
        assert theirs.recv(100) == b"show proc\n"
        assert theirs.recv(100) == b""
    assert parse_proc(said) == Workers(reloads=3, failed=0, current=(165,), old=(155,))


def test_a_failed_reload_is_counted() -> None:
    said = recorded("proc").replace("[failed: 0]", "[failed: 2]")
    assert parse_proc(said).failed == 2
    assert parse_proc("") == Workers(0, 0, (), ())


def test_a_state_file_keeps_the_lines_of_servers_that_did_not_change() -> None:
    dump = recorded("servers-state")
    kept = state_of(dump, frozenset({("web", "web-4"), ("web", "gone"), ("other", "web-1")}))
    assert kept.splitlines()[:2] == dump.splitlines()[:2]
    assert [line.split()[3] for line in kept.splitlines()[2:]] == ["web-4"]
    assert state_of(dump, frozenset(("web", f"web-{n}") for n in (1, 2, 3, 4))).split() == dump.split()


@given(st.text())
def test_any_words_of_a_server_stay_in_their_row(words: str) -> None:
    """HAProxy quotes a field of what a server said (RFC 4180)."""
    clean = "".join(each for each in words if each.isprintable())
    quoted = '"' + clean.replace('"', '""') + '"'
    text = recorded("stat").replace("Unsupported method ('HEAD')", quoted)
    row = next(row for row in parse_stat(text) if row.server == "web-3")
    assert row.detail == clean
    assert row.words == "Layer7 wrong status"


def test_ten_thousand_servers_are_read_in_one_go() -> None:
    line = next(line for line in recorded("stat").splitlines() if line.startswith("web,web-1"))
    head = recorded("stat").splitlines()[0]
    many = "\n".join([head, *(line.replace("web-1", f"web-{n}") for n in range(10_000))])
    began = time.process_time()
    assert sum(row.up for row in parse_stat(many)) == 10_000
    assert time.process_time() - began < 5  # far above what it takes: it is not quadratic
