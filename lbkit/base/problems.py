"""All that is wrong with an input, gathered, so that a person mends it in one go."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.errors import Mistake

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at `path` in the document (keys and list indexes from the root)."""

    path: Path
    wanted: str
    found: str = ""
    remedy: str = ""
    where: str = ""  # file:line, once the loader has looked it up


@dataclass(slots=True)
class Problems:
    """A growing list of problems; `raise_any` ends the stage that found them."""

    items: list[Problem] = field(default_factory=list)

    def add(self, path: Path, wanted: str, *, found: str = "", remedy: str = "") -> None:
        self.items.append(Problem(path, wanted, found, remedy))

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.items)

    def __bool__(self) -> bool:
        return bool(self.items)


class InvalidDocument(Mistake):
    """The document cannot be meant as it stands; `problems` has every reason, in the document's order."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(
            f"{file} has {count} mistake{'' if count == 1 else 's'}",
            remedy="mend what is listed; nothing was touched",
        )

    def __str__(self) -> str:
        lines = [self.wanted]
        for problem in self.problems:
            lines.append(f"{problem.where or self.file}: {dotted(problem.path)}: {problem.wanted}")
            if problem.found:
                lines.append(f"  found: {problem.found}")
            if problem.remedy:
                lines.append(f"  to do: {problem.remedy}")
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        return {
            **super().as_data(),
            "problems": [
                {
                    "where": problem.where or self.file,
                    "path": dotted(problem.path),
                    "wanted": problem.wanted,
                    "found": problem.found,
                    "remedy": problem.remedy,
                }
                for problem in self.problems
            ],
        }


def dotted(path: Path) -> str:
    """`machines.web.run[0].name`, as a person would say it; keys that are no plain words in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if _WORD.fullmatch(part) else ascii(part[:80])
            text += f".{word}" if text else word
    return text or "(the document)"


_WORD = re.compile(r"[\w.@*/-]{1,80}")


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The one of `known` that `word` was most likely meant to be, or none."""
    return difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)


def near(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that is not known: the nearest that is, or all that are when they are few."""
    names = sorted(known)
    if close := nearest(word, names):
        return f"did you mean {close[0]!r}?"
    if names and len(names) <= 12:
        return "known here: " + ", ".join(names)
    return ""
