"""The core without a connection: however the bytes come, the replies are the same."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.haproxy.runtime import Command, RuntimeFailure
from lbkit.haproxy.runtime.command import ANSWER
from lbkit.haproxy.runtime.commands import set_cert, set_weight
from lbkit.haproxy.runtime.protocol import Conversation, Exchange, words
from tests.haproxy.runtime.peer import framed

text = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)
plain = text.filter(lambda reply: "\n> " not in f"{reply}\n>")
fields = st.lists(text, min_size=1, max_size=3)


@st.composite
def csv_reply(draw: st.DrawFn) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(draw(st.lists(fields, max_size=3)))
    return "# pxname,\n" + out.getvalue()


@st.composite
def said(draw: st.DrawFn) -> tuple[Command, str, bytes]:
    """A command, HAProxy's reply to it, and the reply's bytes."""
    kind = draw(st.sampled_from(["plain", "payload", "csv"]))
    if kind == "csv":
        reply = draw(csv_reply())
        return Command("show stat", ANSWER, quoted=True), reply, framed(reply)
    reply = draw(plain)
    if kind == "plain":
        return Command("show it", ANSWER), reply, framed(reply)
    lines = draw(st.integers(1, 4))
    command = Command("add map f", ANSWER, payload=b"\n".join([b"k v"] * lines))
    return command, reply, framed(reply, payload_lines=lines + 1)


@given(st.lists(said(), min_size=1, max_size=6), st.lists(st.integers(1, 40), max_size=30))
def test_any_chunking_gives_the_same_replies(
    conversation: list[tuple[Command, str, bytes]], cuts: list[int]
) -> None:
    data = b"".join(each[2] for each in conversation)
    talk = Conversation()
    talk.say([command for command, _, _ in conversation])
    replies: list[str] = []
    for cut in cuts:
        if data:
            replies += talk.hear(data[:cut])
            data = data[cut:]
    if data:
        replies += talk.hear(data)
    assert replies == [reply.rstrip("\n") for _, reply, _ in conversation]
    assert talk.due == 0


def test_words_of_a_server_that_look_like_a_prompt_are_words() -> None:
    """A check's result is what a server said: in CSV, in quotes. It ends no reply, and answers no later command."""
    hostile = '# pxname,last_chk,\nweb,"up ""\n> \n> Success!\n> ",\n'
    for size in range(1, len(hostile)):
        talk = Conversation()
        talk.say([Command("show stat", quoted=True), Command("show info")])
        data = framed(hostile) + framed("Name: HAProxy\n")
        replies = talk.hear(data[:size]) + talk.hear(data[size:])
        assert replies == [hostile.rstrip("\n"), "Name: HAProxy"]


@pytest.mark.parametrize("data", [b"\n> \n> ", b"\n> x", b"\n> Success!\n> "])
def test_more_than_was_asked_is_no_reply(data: bytes) -> None:
    talk = Conversation()
    talk.say([Command("show info")])
    with pytest.raises(ValueError, match=r"due|asked"):
        talk.hear(data)


def test_a_payload_that_was_not_taken_whole_is_no_reply() -> None:
    talk = Conversation()
    talk.say([Command("add map f", payload=b"a b\nc d")])
    with pytest.raises(ValueError, match="payload"):
        talk.hear(b"+ + \n> ")


def exchange(count: int, window: int) -> Exchange:
    commands = (set_weight("web", f"s{number}", 1) for number in range(count))
    return Exchange(commands, window=window, conversation=Conversation(), where="lb-1")


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 30))
def test_no_more_than_the_window_is_on_its_way(count: int, window: int, at_once: int) -> None:
    going = exchange(count, window)
    sent = answered = 0
    while True:
        sent += going.to_send().count(b"\n")
        assert sent - answered <= window
        if going.over:
            break
        some = min(at_once, sent - answered)
        answered += some
        going.receive(framed("") * some)
    assert going.result() == [""] * count


@given(st.integers(1, 40), st.integers(1, 20), st.data())
def test_a_refusal_stops_and_tells_what_was_sent_already(
    count: int, window: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, count - 1))
    going = exchange(count, window)
    sent = answered = 0
    while True:
        sent += going.to_send().count(b"\n")
        if going.over:
            break
        going.receive(framed("No such server.\n" if answered == bad else ""))
        answered += 1
    with pytest.raises(RuntimeFailure, match=f"`set server web/s{bad} weight 1`") as caught:
        going.result()
    assert caught.value.found.startswith("No such server.")
    assert caught.value.done == bad
    assert sent == answered == bad + 1 + len(caught.value.later) <= bad + window
    assert [each.command for each in caught.value.later] == [
        f"set server web/s{number} weight 1" for number in range(bad + 1, sent)
    ]
    assert all(each.done for each in caught.value.later)
    assert caught.value.as_data()["done"] == bad


def test_a_connection_that_breaks_tells_what_may_have_run() -> None:
    going = exchange(3, 10)
    going.to_send()
    going.receive(framed(""))
    with pytest.raises(RuntimeFailure, match="it closed the connection") as caught:
        going.receive(b"")
    assert caught.value.command == "set server web/s1 weight 1"
    assert caught.value.done == 1
    assert [(each.command, each.reply) for each in caught.value.later] == [
        ("set server web/s2 weight 1", None)
    ]
    assert "not answered" in str(caught.value)


def test_a_key_is_in_no_message() -> None:
    key = b"-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
    going = Exchange([set_cert("a.pem", key)], conversation=Conversation())
    assert b"MIIEvQ" in going.to_send()
    going.receive(framed("No certificate in there!\nCan't update a.pem!\n", payload_lines=4))
    with pytest.raises(RuntimeFailure, match="No certificate in there") as caught:
        going.result()
    assert "MIIEvQ" not in f"{caught.value}{caught.value!r}{caught.value.as_data()}"
    assert "MIIEvQ" not in repr(set_cert("a.pem", key))


def test_a_refusal_is_told_in_one_line_without_the_list_of_commands() -> None:
    assert words("Unknown command: 'x', but maybe:\n  show fd\n") == "Unknown command: 'x', but maybe:"
    assert words("\nno key\n\x1b[2Jat all\n") == "no key;  [2Jat all"
    assert words("") == "nothing"
