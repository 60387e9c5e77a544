"""`show ssl crt-list -n`: the lines of a list of certificates (management guide, 9.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CrtLine:
    """One line: a certificate's file, its number in the list, options as HAProxy words them, names to serve it for."""

    file: str
    number: int
    options: str
    filters: tuple[str, ...]

    @property
    def reference(self) -> str:
        """What names this line alone to `del ssl crt-list`."""
        return f"{self.file}:{self.number}"


_LINE = re.compile(r"(.+?):(\d+)(?: \[(.*?)\])?(?: (.*))?\Z")


def parse_crt_list(text: str) -> Iterator[CrtLine]:
    """The lines. HAProxy writes `alpn` with the zero bytes that end its protocols; they are left out."""
    for line in text.replace("\0", "").split("\n"):
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"the form known: {line[:120]}")
        path, number, options, filters = match.groups()
        yield CrtLine(path, int(number), options or "", tuple((filters or "").split()))
