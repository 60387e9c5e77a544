"""The Runtime API over a connected socket, for one thread at a time."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self, TypeVar

from lbkit.haproxy.runtime.command import ANSWER, SILENT, Command
from lbkit.haproxy.runtime.failure import RuntimeFailure
from lbkit.haproxy.runtime.info import Info
from lbkit.haproxy.runtime.protocol import BEGIN, WINDOW, Conversation, Exchange
from lbkit.haproxy.runtime.questions import INFO, SERVERS, STAT, STATE_FILE, Question
from lbkit.haproxy.runtime.servers_state import ServerState
from lbkit.haproxy.runtime.stat import Row

T = TypeVar("T")
_READ = 1 << 18


class Runtime:
    """A connection to the runtime socket of one HAProxy process. The socket's timeout is the longest silence."""

    def __init__(self, connection: socket.socket, *, where: str = "") -> None:
        self._connection = connection
        self._where = where
        self._talk = Conversation()
        self._patience = connection.gettimeout()
        connection.setblocking(False)
        try:
            self.run([BEGIN])
        except RuntimeFailure:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def run(self, commands: Iterable[Command], *, window: int = WINDOW) -> list[str]:
        """The replies to all of `commands`, in order, without their ends.

        Up to `window` of them are on their way at once. The first that HAProxy refuses is a RuntimeFailure, and no
        further one is sent; but those on their way already HAProxy does all the same (`RuntimeFailure.later`).
        `window=1` stops at once, at a round trip for each command.
        """
        exchange = Exchange(commands, window=window, conversation=self._talk, where=self._where)
        try:
            self._carry(exchange)
        except OSError as error:
            raise exchange.broken(_why(error, self._patience)) from error
        finally:
            if self._talk.due:  # what comes later could not be told from other replies
                self._connection.close()
        return exchange.result()

    def ask(self, command: Command | str) -> str:
        """The reply to one command. A text may be answered by anything but a refusal to know or allow it."""
        return self.run([Command(command, ANSWER) if isinstance(command, str) else command])[0]

    def do(self, command: Command | str) -> None:
        """One command that is to succeed; a text is one that says nothing where it succeeds."""
        self.run([Command(command, SILENT) if isinstance(command, str) else command])

    def read(self, question: Question[T]) -> T:
        """What HAProxy knows, as data."""
        return question.answer(self.ask(question.command), self._where)

    def info(self) -> Info:
        return self.read(INFO)

    def stat(self) -> list[Row]:
        """All frontends, backends and servers. One command, whatever their number."""
        return self.read(STAT)

    def servers(self) -> list[ServerState]:
        """All servers of all backends, with what only `show servers state` tells."""
        return self.read(SERVERS)

    def servers_state(self) -> str:
        """The state of all servers, as HAProxy reads it again from its server-state file."""
        return self.read(STATE_FILE)

    def _carry(self, exchange: Exchange) -> None:
        """Write and read at once: HAProxy stops reading commands where nobody reads its replies."""
        link = self._connection
        patience = None if self._patience is None else int(self._patience * 1000)
        unsent = memoryview(exchange.to_send())
        if link.fileno() < 0:
            raise ConnectionError("the connection had ended before")
        waiting = select.poll()
        waiting.register(link, select.POLLIN)
        writing = False
        while not exchange.over:
            if unsent:
                unsent = unsent[_send(link, unsent) :]
            if bool(unsent) is not writing:
                writing = bool(unsent)
                waiting.modify(link, select.POLLIN | (select.POLLOUT if writing else 0))
            ready = waiting.poll(patience)
            if not ready:
                raise TimeoutError
            if ready[0][1] & ~select.POLLOUT:
                exchange.receive(link.recv(_READ))
            if not unsent:
                unsent = memoryview(exchange.to_send())


def _send(link: socket.socket, data: memoryview) -> int:
    try:
        return link.send(data)
    except BlockingIOError:
        return 0


def _why(error: OSError, patience: float | None) -> str:
    if isinstance(error, TimeoutError) and patience is not None:
        return f"no answer in {patience:g} s"
    return str(error) or type(error).__name__
