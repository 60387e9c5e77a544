"""What became of each line of haproxy.cfg."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lbkit.haproxy.importing.cfg import Line


class Way(StrEnum):
    CARRIED = "carried"  # a key of the language says it, or lbkit does so in any case
    RAW = "raw"  # it stands as it is
    LEFT_OUT = "left out"


_WEIGHT = {Way.CARRIED: 0, Way.RAW: 1, Way.LEFT_OUT: 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """`about`: why it was left out, and what lbkit does instead; else the keys that say it."""

    number: int
    section: str
    text: str
    way: Way
    about: str = ""


@dataclass(slots=True)
class Report:
    """One entry for each line; of a line that went several ways, the worst. `notes` are what is not quite as before."""

    entries: dict[int, Entry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def carried(self, line: Line, section: str, about: str = "") -> None:
        self._tell(line, section, Way.CARRIED, about)

    def raw(self, line: Line, section: str, about: str = "") -> None:
        self._tell(line, section, Way.RAW, about)

    def left_out(self, line: Line, section: str, why: str) -> None:
        self._tell(line, section, Way.LEFT_OUT, why)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def of(self, way: Way) -> Iterator[Entry]:
        return (entry for _, entry in sorted(self.entries.items()) if entry.way is way)

    def count(self, way: Way) -> int:
        return sum(1 for _ in self.of(way))

    def as_data(self) -> dict[str, Any]:
        return {
            "lines": [
                {
                    "line": entry.number,
                    "section": entry.section,
                    "text": entry.text,
                    "way": entry.way.value,
                    "about": entry.about,
                }
                for _, entry in sorted(self.entries.items())
            ],
            "notes": list(self.notes),
        }

    def _tell(self, line: Line, section: str, way: Way, about: str) -> None:
        before = self.entries.get(line.number)
        if before is None or _WEIGHT[way] > _WEIGHT[before.way]:
            self.entries[line.number] = Entry(line.number, section, line.text, way, about)
        elif before.way is way is Way.LEFT_OUT and about not in before.about:
            self.entries[line.number] = Entry(
                line.number, before.section, line.text, way, f"{before.about}; {about}"
            )
