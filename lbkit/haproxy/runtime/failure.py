"""What HAProxy would not do, by the command as a plan shows it: what it carries is never in the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbkit.base.errors import Failure

_NAMED = 3  # commands told by name in a message; the rest are a number


@dataclass(frozen=True, slots=True)
class Later:
    """A command that was on its way when an earlier one failed. `reply` None: no answer came, it may have run."""

    command: str
    reply: str | None
    done: bool


class RuntimeFailure(Failure):
    """HAProxy would not do a command, or did not answer it; its own words are in `found`.

    Of several commands on their way together (`run`), `done` before this one were done, and `later` had been
    sent already: HAProxy does those too, whatever became of this one.
    """

    def __init__(
        self, command: str, found: str, where: str = "", *, done: int = 0, later: Sequence[Later] = ()
    ) -> None:
        self.command = command
        self.done = done
        self.later = tuple(later)
        super().__init__(
            f"HAProxy was to answer `{command}`", found="; ".join([found, *self._around()]), where=where
        )

    def as_data(self) -> dict[str, Any]:
        later = [{"command": each.command, "done": each.done, "reply": each.reply} for each in self.later]
        return super().as_data() | {"command": self.command, "done": self.done, "later": later}

    def _around(self) -> list[str]:
        ran = [each for each in self.later if each.done]
        silent = [each for each in self.later if each.reply is None]
        refused = [each for each in self.later if each.reply is not None and not each.done]
        return [
            *([f"{self.done} before it were done"] if self.done else []),
            *(_tell(ran, "sent with it and done") if ran else []),
            *(_tell(refused, "sent with it and refused too") if refused else []),
            *(_tell(silent, "sent with it and not answered") if silent else []),
        ]


def _tell(commands: Sequence[Later], words: str) -> list[str]:
    named = ", ".join(f"`{each.command}`" for each in commands[:_NAMED])
    more = f" and {len(commands) - _NAMED} more" if len(commands) > _NAMED else ""
    return [f"{words}: {named}{more}"]
