"""Who has not the key is told nothing, and what was said once cannot be said again."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Failure
from lbkit.mirror.talk import sealed as sealed_module
from lbkit.mirror.talk.ends import Caller, Deadline, Listener, Unheard, connections
from lbkit.mirror.talk.sealed import Message, NotTrusted, Sealed, call

KEY = b"k" * 32
messages = st.lists(
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3), max_size=5
)


def pair(key: bytes = KEY) -> tuple[Sealed, Sealed]:
    return Sealed(key, calls=True), Sealed(key, calls=False)


@given(messages, messages, st.integers(1, 50))
def test_each_hears_what_the_other_said_however_it_is_cut(
    said: list[Message], back: list[Message], size: int
) -> None:
    caller, listener = pair()
    for one, other, words in ((caller, listener, said), (listener, caller, back)):
        data = b"".join(one.seal(each) for each in words)
        heard = [message for at in range(0, len(data), size) for message in other.take(data[at : at + size])]
        assert heard == words


@given(st.integers(0, 2**20), st.integers(0, 7))
def test_no_bit_may_be_another(at: int, bit: int) -> None:
    caller, listener = pair()
    data = bytearray(caller.seal({"do": "commit", "serial": 12}))
    data[at % len(data)] ^= 1 << bit
    try:
        assert listener.take(bytes(data)) == [], "a length that is larger waits for more, which never comes"
    except NotTrusted:
        pass
    else:
        assert at % len(data) < 4


def test_nothing_is_heard_twice_or_in_another_order_or_from_oneself() -> None:
    caller, listener = pair()
    first, second = caller.seal({"n": 1}), caller.seal({"n": 2})
    with pytest.raises(NotTrusted):
        pair()[1].take(second)
    assert listener.take(first) == [{"n": 1}]
    with pytest.raises(NotTrusted):
        listener.take(first)
    with pytest.raises(NotTrusted):
        pair()[0].take(first)


def test_messages_have_a_size() -> None:
    caller, listener = pair()
    with pytest.raises(Failure, match="short"):
        caller.seal({"x": "x" * sealed_module.MOST})
    with pytest.raises(NotTrusted, match="bytes"):
        listener.take((sealed_module.MOST + 1).to_bytes(4, "big"))


@pytest.fixture
def port() -> Iterator[int]:
    def answer(name: str, message: Message) -> Message:
        if message.get("do") == "fail":
            raise Failure("it was to work", found="it did not")
        return {"to": name, "heard": message}

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=Listener(listening, {"node-1": KEY, "push": b"p" * 32}, answer).run)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_caller_is_answered_by_its_name(port: int) -> None:
    with Caller("127.0.0.1", port, "node-1", KEY) as caller:
        for number in range(3):
            assert caller.ask({"n": number}, timeout=10) == {"to": "node-1", "heard": {"n": number}}
        with pytest.raises(Failure, match="it was to work: it did not"):
            caller.ask({"do": "fail"}, timeout=10)
        assert caller.ask({}, timeout=10) == {"to": "node-1", "heard": {}}


@pytest.mark.parametrize(("name", "key"), [("node-1", b"x" * 32), ("node-2", KEY), ("push", KEY)])
def test_who_has_not_the_key_is_not_answered(port: int, name: str, key: bytes) -> None:
    with Caller("127.0.0.1", port, name, key) as caller, pytest.raises(Unheard):
        caller.ask({"do": "status"}, timeout=10)


def test_what_was_recorded_is_of_no_use(port: int) -> None:
    """All that a caller ever sent, sent again: the listener's nonce is another."""
    sent: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def write(data: bytes) -> None:
            sent.append(data)
            connection.sendall(data)

        conversation = call(Deadline(connection, 10).read, write, "node-1", KEY)
        write(conversation.seal({"do": "push"}))
        assert conversation.take(connection.recv(1000)) != []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        nonce = Deadline(connection, 10).read(32)
        assert len(nonce) == 32
        for each in sent:
            connection.sendall(each)
        with contextlib.suppress(ConnectionResetError):  # it closes before it has read all
            assert connection.recv(1000) == b""


def test_a_listener_without_the_key_is_not_believed() -> None:
    answers = iter([b"t" * 32, b"\0" * 32])
    with pytest.raises(NotTrusted, match="a listener without the key"):
        call(lambda _: next(answers), lambda _: None, "node-1", KEY)


def test_nobody_there_is_unheard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with (
        Caller("127.0.0.1", port, "node-1", KEY) as caller,
        pytest.raises(Unheard, match="Connection refused"),
    ):
        caller.ask({}, timeout=5)


def test_who_shows_its_key_a_byte_at_a_time_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbkit.mirror.talk.ends._KNOWN_WITHIN", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        assert len(Deadline(connection, 10).read(32)) == 32, "its nonce"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                connection.sendall(b"x")
                if select.select([connection], [], [], 0.05)[0] and not connection.recv(1000):
                    break
            else:
                pytest.fail("it listened on")


def test_who_answers_a_byte_at_a_time_is_not_waited_for() -> None:
    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x")
                select.select([connection], [], [], 0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        with (
            Caller("127.0.0.1", listening.getsockname()[1], "node-1", KEY) as caller,
            pytest.raises(Unheard, match="timed out"),
        ):
            caller.ask({}, timeout=0.3)
        thread.join()


def test_a_connection_that_came_to_nothing_ends_no_listener() -> None:
    """accept(2), ERRORS: what is pending on a new connection, and what there is too little of."""

    class Pressed(socket.socket):
        errors: ClassVar = [errno.ECONNABORTED, errno.EMFILE, errno.EBADF]

        def accept(self) -> Any:
            raise OSError(self.errors.pop(0), "no")

    with Pressed() as listening:
        assert [*connections(listening)] == []
        assert listening.errors == []


def test_ten_that_say_nothing_keep_nobody_out(port: int) -> None:
    mute = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
    with Caller("127.0.0.1", port, "node-1", KEY) as caller:
        assert caller.ask({}, timeout=10)["to"] == "node-1"
    for each in mute:
        each.close()
