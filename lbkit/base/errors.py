"""Every error lbkit raises on purpose: fields first, the message from the fields.

Three kinds, each with its exit code: a person's mistake (64, as `EX_USAGE` in sysexits.h), a failure of
the world or of a driver (1), and a bug of lbkit itself (70, `EX_SOFTWARE`).
"""

from __future__ import annotations

from typing import Any, ClassVar


class LbkitError(Exception):
    """The one root. `wanted`, `found`, `where` and `remedy` are sentences without a full stop."""

    exit_code: ClassVar[int] = 1

    def __init__(self, wanted: str, *, found: str = "", where: str = "", remedy: str = "") -> None:
        self.wanted = wanted
        self.found = found
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.wanted}" if self.where else self.wanted
        lines = [head]
        if self.found:
            lines.append(f"  found: {self.found}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        """The fields as JSON; errors that know more add theirs."""
        return {
            "error": type(self).__name__,
            "wanted": self.wanted,
            "found": self.found,
            "where": self.where,
            "remedy": self.remedy,
        }


class Mistake(LbkitError):
    """What a person wrote cannot be meant; nothing was touched."""

    exit_code = 64


class Failure(LbkitError):
    """The world would not do what was asked of it."""

    exit_code = 1


class Bug(LbkitError):
    """lbkit contradicts itself. Never the person's fault."""

    exit_code = 70
