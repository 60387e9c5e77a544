"""What is kept: the topology's file as a person applied it last, whatever it says by now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lbkit import operate
from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.engine.agreed import Agreed
from lbkit.engine.scope import Scope
from lbkit.watch import words
from lbkit.watch.telling import Said


class Tell(Protocol):
    def __call__(self, topic: str, what: str, said: Said, /) -> None:
        """Say it, unless the same was said of this topic not long ago."""


class Kept:
    """`scope` is the file as it was read last and could be kept. With `doubted` it is read again at the next question.

    Its first reading may raise: a Mistake has every mistake of the file.
    """

    def __init__(self, file: Path, host: Host, *, say: Callable[[Said], None], tell: Tell) -> None:
        self._file = file
        self._host = host
        self._say = say
        self._tell = tell
        self.doubted = False
        self.scope = operate.load(file)
        self._digest = operate.digest(self.scope, host)

    def agreed(self) -> Agreed | None:
        """What a person applied last, where `scope` is that. None: there is nothing to keep, and why is told."""
        doubted, self.doubted = self.doubted, False
        agreed = operate.agreed(self.scope.name, self._host)
        if agreed is None:
            self._tell("kept", "nothing", Said("idle", words.NOTHING))
            return None
        if doubted or agreed.digest != self._digest:
            self._read(agreed)
        return agreed if agreed.digest == self._digest else None

    def _read(self, agreed: Agreed) -> None:
        keeps = agreed.digest == self._digest
        try:
            scope = operate.load(self._file)
            _same_topology(self.scope, scope)
        except Mistake as error:
            self._tell("kept", str(error), words.unreadable(error, keeps=keeps))
            return
        digest = operate.digest(scope, self._host)
        if digest != agreed.digest:
            self._tell("kept", agreed.digest + digest, words.not_applied(self._file, agreed, keeps=keeps))
        elif digest != self._digest:
            self.scope, self._digest = scope, digest
            self._say(Said("read", f"keeps {self._file} as {agreed.by} applied it at {agreed.since}"))


def _same_topology(before: Scope, now: Scope) -> None:
    if now.name != before.name:
        raise Mistake(
            f"topology {before.name!r} was to be read from {now.file}",
            found=f"topology {now.name!r}",
            remedy="watch that one on its own",
        )
