"""Words of a line of haproxy.cfg, quoted where they must be."""

from __future__ import annotations

import re
from functools import lru_cache

from lbkit.base.errors import Bug

Words = tuple[str | int, ...]
"""One line of a section, word by word."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*,=()\[\]?&+%~!;<>|^{}-]+\Z", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Line(str):
    """A word whose value ends with a line feed: HAProxy writes it out as it is."""

    __slots__ = ()


class Raw(str):
    """A whole line that a person wrote, in which HAProxy reads quotes and spaces itself (spec/raw.py)."""

    __slots__ = ()


@lru_cache(maxsize=8192, typed=True)
def word(value: str | int) -> str:
    """One word of a line, whatever is in it (configuration manual, 2.2 "Quoting and escaping").

    Within single quotes nothing has a meaning but the quote itself. What would end the line is a Bug: types
    refuse it long before.
    """
    text = str(value)
    if _FORBIDDEN.search(text):
        raise Bug("words of a configuration were to be free of control characters", found=ascii(text))
    if isinstance(value, Raw):
        return text
    end = "\\n" if isinstance(value, Line) else ""
    if _PLAIN.match(text):
        return text + end
    return "'" + text.replace("'", "'\\''") + "'" + end


def endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
