r"""A conversation with the Runtime API in prompt mode, without the connection: bytes in, bytes out.

Every reply ends with the prompt "\n> " (management guide, 9.3), which no reply has in it but CSV with line feeds
in quoted fields: there the end is the first prompt outside of quotes. While a payload is read, HAProxy writes
"+ " for each line of it, before the reply proper.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.failure import Later, RuntimeFailure

PROMPT = b"\n> "
MORE = b"+ "
BEGIN = Command("prompt")

WINDOW = 512
"""Commands that may be on their way unanswered: enough for HAProxy's full speed."""

_LARGEST = 256 << 20  # bytes of one reply: 10,000 servers are 5 MB of statistics
_SHOWN = 300  # characters of a reply that an error tells


class Conversation:
    """Which replies are due, and the bytes of those that are not whole yet. It never reads nor writes."""

    def __init__(self) -> None:
        self._due: deque[Command] = deque()
        self._special = 0  # of them, those whose reply is not simply ended by the prompt
        self._data = bytearray()
        self._seen = 0  # bytes of _data in which there is no end
        self._quotes = 0  # in those bytes

    @property
    def due(self) -> int:
        return len(self._due)

    def say(self, commands: Sequence[Command]) -> bytes:
        """The bytes to send, for commands whose replies are due from now on."""
        self._due.extend(commands)
        self._special += sum(each.quoted or each.payload is not None for each in commands)
        return b"".join([each.wire for each in commands])

    def hear(self, data: bytes) -> list[str]:
        """The replies that `data` ended, in order, without their ends. ValueError: HAProxy does not speak so."""
        self._data += data
        replies = list(self._one_by_one()) if self._special else []
        if not self._special:
            replies += self._all_at_once()
        if len(self._data) > _LARGEST:
            raise ValueError(f"more than {_LARGEST} bytes")
        if self._data and not self._due:
            raise ValueError(f"words that nothing asked for: {_shown(self._data.decode(errors='replace'))}")
        return replies

    def _all_at_once(self) -> list[str]:
        end = self._data.rfind(PROMPT, max(0, self._seen - len(PROMPT) + 1))
        if end < 0:
            self._seen = len(self._data)
            return []
        replies = self._data[:end].decode(errors="replace").split("\n> ")
        del self._data[: end + len(PROMPT)]
        self._seen = 0
        if len(replies) > len(self._due):
            raise ValueError(f"{len(replies)} replies, where {len(self._due)} were due")
        for _ in replies:
            self._due.popleft()
        return [reply.rstrip("\n") for reply in replies]

    def _one_by_one(self) -> Iterator[str]:
        while self._special:
            command = self._due[0]
            end = self._end_of(command)
            if end < 0:
                return
            text = bytes(self._data[:end])
            if command.payload is not None:
                asked = MORE * command.lines
                if not text.startswith(asked):
                    raise ValueError("it did not take the whole payload")
                text = text[len(asked) :]
            del self._data[: end + len(PROMPT)]
            self._seen = self._quotes = 0
            self._due.popleft()
            self._special -= command.quoted or command.payload is not None
            yield text.decode(errors="replace").rstrip("\n")

    def _end_of(self, command: Command) -> int:
        """Where the first reply ends; -1 while it does not."""
        start = max(0, self._seen - len(PROMPT) + 1)
        while (end := self._data.find(PROMPT, start)) >= 0:
            if not command.quoted:
                return end
            if end > self._seen:
                self._quotes += self._data.count(b'"', self._seen, end)
                self._seen = end
            if self._quotes % 2 == 0:
                return end
            start = end + 1
        if command.quoted:
            self._quotes += self._data.count(b'"', self._seen)
        self._seen = len(self._data)
        return -1


class Exchange:
    """Commands in order over one conversation, `window` of them on their way at most, every reply checked.

    After the first command that HAProxy refused no further one is sent; the replies to those already on their
    way are still read, so that the connection can be used again. HAProxy does these too: with a window of one
    nothing is ever done after a failure.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        *,
        window: int = WINDOW,
        conversation: Conversation,
        where: str = "",
    ) -> None:
        self.replies: list[str] = []
        self._commands = iter(commands)
        self._window = max(1, window)
        self._talk = conversation
        self._where = where
        self._sent: deque[Command] = deque()  # and not answered
        self._all_sent = False
        self._refused: tuple[Command, str] | None = None
        self._later: list[Later] = []

    @property
    def over(self) -> bool:
        return self._all_sent and not self._sent

    def to_send(self) -> bytes:
        """Nothing while half the window waits for its replies: commands go in batches."""
        if self._all_sent or 2 * len(self._sent) > self._window:
            return b""
        room = self._window - len(self._sent)
        batch = list(islice(self._commands, room))
        self._all_sent = len(batch) < room
        self._sent.extend(batch)
        return self._talk.say(batch)

    def receive(self, data: bytes) -> None:
        if not data:
            raise self.broken("it closed the connection")
        try:
            replies = self._talk.hear(data)
        except ValueError as error:
            raise self.broken(str(error)) from error
        for reply in replies:
            self._judge(self._sent.popleft(), reply)

    def result(self) -> list[str]:
        """The replies, in order; or the RuntimeFailure of the first command that was refused."""
        if self._refused is not None:
            command, reply = self._refused
            raise RuntimeFailure(
                str(command), words(reply), self._where, done=len(self.replies), later=self._later
            )
        return self.replies

    def broken(self, found: str) -> RuntimeFailure:
        """The failure of a connection on which no further reply comes."""
        unanswered = list(self._sent)
        if self._refused is not None:
            command, reply = self._refused
            found = f"{words(reply)}; then {found}"
        elif unanswered:
            command = unanswered.pop(0)
        else:
            command = BEGIN
        later = [*self._later, *(Later(str(each), None, done=False) for each in unanswered)]
        return RuntimeFailure(str(command), found, self._where, done=len(self.replies), later=later)

    def _judge(self, command: Command, reply: str) -> None:
        done = command.done(reply)
        if self._refused is not None:
            self._later.append(Later(str(command), _shown(reply), done))
        elif done:
            self.replies.append(reply)
        else:
            self._refused = command, reply
            self._all_sent = True


def words(reply: str) -> str:
    """A refusal in HAProxy's words: all lines of it but the list of commands that it knows."""
    if reply.startswith("Unknown command"):
        reply = reply.partition("\n")[0]
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    return _shown("; ".join(lines)) or "nothing"


def _shown(text: str) -> str:
    clean = "".join(each if each.isprintable() else " " for each in text[:_SHOWN]).strip()
    return clean + ("..." if len(text) > _SHOWN else "")
