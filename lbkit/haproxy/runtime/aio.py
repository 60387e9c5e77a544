"""The Runtime API over asyncio streams: as `client.Runtime`, by the same core. One task at a time on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self, TypeVar

from lbkit.haproxy.runtime.command import ANSWER, SILENT, Command
from lbkit.haproxy.runtime.failure import RuntimeFailure
from lbkit.haproxy.runtime.info import Info
from lbkit.haproxy.runtime.protocol import BEGIN, WINDOW, Conversation, Exchange
from lbkit.haproxy.runtime.questions import INFO, SERVERS, STAT, Question
from lbkit.haproxy.runtime.servers_state import ServerState
from lbkit.haproxy.runtime.stat import Row

T = TypeVar("T")
_READ = 1 << 18


class AsyncRuntime:
    """A connection to the runtime socket of one HAProxy process; `timeout` in seconds is the longest silence."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        where: str = "",
        timeout: float = 5.0,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._where = where
        self._patience = timeout
        self._talk = Conversation()

    @classmethod
    async def connect(cls, path: str, *, where: str = "", timeout: float = 5.0) -> Self:  # noqa: ASYNC109
        """By the socket's path. Some other connection: make the streams, then `begin`."""
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_unix_connection(path)
        except OSError as error:
            raise RuntimeFailure(BEGIN.line, str(error) or type(error).__name__, where) from error
        return await cls(reader, writer, where=where, timeout=timeout).begin()

    async def begin(self) -> Self:
        try:
            await self.run([BEGIN])
        except RuntimeFailure:
            self._writer.close()
            raise
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # HAProxy had closed it first

    async def run(self, commands: Iterable[Command], *, window: int = WINDOW) -> list[str]:
        """As `Runtime.run`: replies in order; the first refusal is a RuntimeFailure that tells what else was sent."""
        exchange = Exchange(commands, window=window, conversation=self._talk, where=self._where)
        try:
            while True:
                if data := exchange.to_send():
                    self._writer.write(
                        data
                    )  # the window bounds it; replies are read without waiting for its end
                if exchange.over:
                    break
                async with asyncio.timeout(self._patience):
                    heard = await self._reader.read(_READ)
                exchange.receive(heard)
        except TimeoutError as error:
            raise exchange.broken(f"no answer in {self._patience:g} s") from error
        except OSError as error:
            raise exchange.broken(str(error) or type(error).__name__) from error
        finally:
            if self._talk.due:  # what comes later could not be told from other replies
                self._writer.close()
        return exchange.result()

    async def ask(self, command: Command | str) -> str:
        """The reply to one command. A text may be answered by anything but a refusal to know or allow it."""
        return (await self.run([Command(command, ANSWER) if isinstance(command, str) else command]))[0]

    async def do(self, command: Command | str) -> None:
        """One command that is to succeed; a text is one that says nothing where it succeeds."""
        await self.run([Command(command, SILENT) if isinstance(command, str) else command])

    async def read(self, question: Question[T]) -> T:
        """What HAProxy knows, as data."""
        return question.answer(await self.ask(question.command), self._where)

    async def info(self) -> Info:
        return await self.read(INFO)

    async def stat(self) -> list[Row]:
        return await self.read(STAT)

    async def servers(self) -> list[ServerState]:
        return await self.read(SERVERS)
