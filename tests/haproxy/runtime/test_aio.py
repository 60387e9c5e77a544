"""The asynchronous client: the same promises over asyncio streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from lbkit.haproxy.runtime import Command, RuntimeFailure
from lbkit.haproxy.runtime.aio import AsyncRuntime
from lbkit.haproxy.runtime.command import ANSWER
from lbkit.haproxy.runtime.commands import set_state
from tests.haproxy.runtime.peer import answering
from tests.haproxy.runtime.test_client import answer


def carry(
    link: socket.socket, talk: Callable[[AsyncRuntime], Awaitable[None]], *, timeout: float = 10
) -> None:
    async def whole() -> None:
        link.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=link)
        async with await AsyncRuntime(reader, writer, where="lb-1", timeout=timeout).begin() as runtime:
            await talk(runtime)

    asyncio.run(whole())


def test_answers_as_data() -> None:
    async def talk(runtime: AsyncRuntime) -> None:
        assert (await runtime.info()).version == "2.6.12-1+deb12u4"
        assert [row.server for row in await runtime.stat()][1] == "web-1"
        assert len(await runtime.servers()) == 4
        await runtime.do("set server web/web-1 state maint")

    with answering(answer, pieces=100) as (link, _):
        carry(link, talk)


def test_a_refusal_names_the_command_and_the_connection_serves_on() -> None:
    async def talk(runtime: AsyncRuntime) -> None:
        with pytest.raises(RuntimeFailure, match="web/no") as caught:
            await runtime.run([set_state("web", name, "maint") for name in ("a", "no", "b")])
        assert (caught.value.done, len(caught.value.later)) == (1, 1)
        await runtime.do(set_state("web", "c", "ready"))

    with answering(answer) as (link, heard):
        carry(link, talk)
    assert heard[-1] == "set server web/c state ready"


def test_a_long_batch_ends() -> None:
    async def talk(runtime: AsyncRuntime) -> None:
        assert (
            await runtime.run([Command(f"get {'y' * 500}", ANSWER)] * 3000, window=3000)
            == ["x" * 2000] * 3000
        )

    with answering(lambda _: "x" * 2000) as (link, _):
        carry(link, talk)


def test_silence_and_an_end_are_failures() -> None:
    async def talk(runtime: AsyncRuntime) -> None:
        with pytest.raises(RuntimeFailure, match="no answer in"):
            await runtime.info()
        with pytest.raises(RuntimeFailure):
            await runtime.info()

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"\n> ")
        carry(ours, talk, timeout=0.05)

    async def gone(runtime: AsyncRuntime) -> None:
        with pytest.raises(RuntimeFailure, match="closed"):
            await runtime.ask("gone")

    with answering(answer) as (link, _):
        carry(link, gone)


def test_no_socket_is_a_failure() -> None:
    with pytest.raises(RuntimeFailure, match="No such file"):
        asyncio.run(AsyncRuntime.connect("/nowhere/socket"))
