"""The synchronous client against recorded replies of HAProxy 2.6; against running ones in test_runtime_real.py."""

from __future__ import annotations

import socket

import pytest

from lbkit.base.errors import Bug
from lbkit.haproxy.runtime import Command, Runtime, RuntimeFailure
from lbkit.haproxy.runtime.command import ANSWER
from lbkit.haproxy.runtime.commands import set_state, set_weight
from lbkit.haproxy.runtime.questions import map_entries
from tests.haproxy.runtime.peer import answering, recorded

REPLIES: dict[str, str | None] = {
    "show info": recorded("info-2.6"),
    "show stat": recorded("stat-2.6"),
    "show servers state": recorded("servers-state-2.6"),
    "show map maps/http.map": recorded("map-2.6"),
    "set server web/no state maint": "No such server.\n",
    "bogus": "Unknown command, but maybe one of the following ones is a better match:\n  show fd\n",
    "gone": None,
}


def answer(command: str) -> str | None:
    return REPLIES.get(command, "")


@pytest.mark.parametrize("pieces", [1, 7, 1 << 20])
def test_what_a_process_says_of_itself(pieces: int) -> None:
    with answering(answer, pieces=pieces) as (link, _), Runtime(link) as runtime:
        info = runtime.info()
        assert len(runtime.stat()) == len(recorded("stat-2.6").strip().splitlines()) - 1
    assert info.version == "2.6.12-1+deb12u4"
    assert info.digest == "92c664bea739b470eee21723fa3f7626"
    assert (info.maxconn, info.stopping) == (2000, False)


def test_answers_as_data() -> None:
    with answering(answer) as (link, _), Runtime(link) as runtime:
        assert [each.server for each in runtime.servers()] == ["web-1", "web-2", "web-3", "web-4"]
        assert runtime.servers_state().split() == recorded("servers-state-2.6").split()
        assert [entry.value for entry in runtime.read(map_entries("maps/http.map"))] == [
            "web",
            "api two words",
        ]


def test_an_error_names_the_command_and_has_haproxys_words() -> None:
    with answering(answer) as (link, heard), Runtime(link, where="haproxy lb-1/shop") as runtime:
        runtime.do("set server web/web-1 state maint")
        with pytest.raises(RuntimeFailure, match="state maint") as caught:
            runtime.do("set server web/no state maint")
        assert caught.value.found == "No such server."
        assert caught.value.where == "haproxy lb-1/shop"
        with pytest.raises(RuntimeFailure, match="Unknown command"):
            runtime.ask("bogus")
        runtime.do(set_state("web", "web-1", "ready"))  # the connection serves on
    assert heard[-1] == "set server web/web-1 state ready"


@pytest.mark.parametrize("window", [1, 3])
def test_what_was_sent_with_a_refused_command_is_told(window: int) -> None:
    commands = [set_state("web", server, "maint") for server in ("a", "no", "b", "c", "d", "e", "f")]
    with answering(answer) as (link, heard), Runtime(link) as runtime:
        with pytest.raises(RuntimeFailure, match="web/no") as caught:
            runtime.run(commands, window=window)
        sent = len(heard) - 1
    assert caught.value.done == 1
    assert sent == 2 + len(caught.value.later)
    assert len(caught.value.later) <= window - 1
    assert all(each.done for each in caught.value.later)


@pytest.mark.parametrize(
    "reply", ["", "Name: HAProxy\n", "Permission denied\n", "\n", "1\n", "# pxname,\n1,2\n"]
)
def test_what_is_no_answer_is_a_failure(reply: str) -> None:
    for method, command in {
        "info": "show info",
        "stat": "show stat",
        "servers_state": "show servers state",
    }.items():
        with answering(lambda _: reply) as (link, _), Runtime(link) as runtime:
            with pytest.raises(RuntimeFailure) as caught:
                getattr(runtime, method)()
            assert caught.value.command == command


def test_a_closed_connection_is_a_failure() -> None:
    with answering(answer) as (link, _), Runtime(link) as runtime:
        with pytest.raises(RuntimeFailure, match="gone") as caught:
            runtime.run([set_weight("web", "a", 1), Command("gone", ANSWER), set_weight("web", "b", 1)])
        assert caught.value.done == 1
        with pytest.raises(RuntimeFailure):
            runtime.info()


def test_silence_is_a_failure_and_ends_the_conversation() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.05)
    with theirs, ours:
        theirs.sendall(b"\n> ")
        runtime = Runtime(ours)
        with pytest.raises(RuntimeFailure, match=r"no answer in 0.05 s"):
            runtime.info()
        with pytest.raises(RuntimeFailure):
            runtime.info()  # a late answer to the first could be taken for one to this


@pytest.mark.parametrize("command", ["show info\nset x", "a;b", "a\0b", "set ssl cert <<", "a\rb", "a\\"])
def test_a_command_is_one_line_and_one_command(command: str) -> None:
    with answering(answer) as (link, heard), Runtime(link) as runtime:
        with pytest.raises(Bug):
            runtime.ask(command)
        with pytest.raises(Bug):
            runtime.do(command)
    assert heard == ["prompt"]


def test_more_commands_than_either_buffer_holds_do_not_stop_each_other() -> None:
    with answering(lambda _: "x" * 2000) as (link, heard), Runtime(link) as runtime:
        replies = runtime.run([Command(f"get it {'y' * 500}", ANSWER)] * 3000, window=3000)
    assert replies == ["x" * 2000] * 3000
    assert len(heard) == 3001
