"""What a person would say that has changed between two configurations, as far as only a reload takes it up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from lbkit.haproxy.transition.server import own_words
from lbkit.haproxy.transition.written import Section, sections, split

_TWO_WORDS = frozenset(
    {"timeout", "option", "http-check", "tcp-check", "stats", "tune.ssl", "log", "errorfile"}
)
"""Keywords that say what they are about with their second word."""
_LONGEST = 60  # characters of a value that is worth telling


def differences(before: str, after: str) -> tuple[str, ...]:
    """Section by section."""
    old, new = sections(before), sections(after)
    said: list[str] = []
    for head in [*new, *(head for head in old if head not in new)]:
        name = " ".join(head).strip()
        if head not in old:
            said.append(f"{name} is new")
        elif head not in new:
            said.append(f"{name} goes")
        else:
            said += _in_section(name, old[head], new[head])
    return tuple(said)


def sentence(said: Iterable[str], most: int = 6) -> str:
    said = list(said)
    more = len(said) - most
    return "; ".join(islice(said, most)) + (f"; and {more} more" if more > 0 else "")


def _in_section(name: str, old: Section, new: Section) -> Iterator[str]:
    for server, line in new.servers.items():
        was = old.servers.get(server)
        if was is not None and own_words(split(was)) != own_words(split(line)):
            before, after = " ".join(own_words(split(was))), " ".join(own_words(split(line)))
            yield f"{name}: server {server}: {_from_to(before, after)}"
    if old.lines == new.lines:
        return
    before_by, after_by = _by_keyword(old.lines), _by_keyword(new.lines)
    changed = [
        key for key in dict.fromkeys([*after_by, *before_by]) if before_by.get(key) != after_by.get(key)
    ]
    if not changed:
        yield f"{name}: another order"
    for key in changed:
        yield f"{name}: {_change(key, before_by.get(key, []), after_by.get(key, []))}"


def _change(key: str, before: list[str], after: list[str]) -> str:
    if len(before) <= 1 and len(after) <= 1:
        if key == "default-server" and before and after:
            return f"its servers' {_words(before[0].split(), after[0].split())}"
        if not before:
            return f"{key} {after[0]}".rstrip() if len(after[0]) <= _LONGEST else key
        if not after:
            return f"no {key}"
        return f"{key} {_from_to(before[0], after[0])}"
    more = [line for line in after if line not in before]
    less = [line for line in before if line not in after]
    if not more and not less:
        return f"{key} in another order"
    return f"{key}: {len(more)} new, {len(less)} gone"


def _words(before: list[str], after: list[str]) -> str:
    """Which words differ, with the one before each: mostly a keyword and its value."""
    if len(before) == len(after):
        pairs = [
            f"{before[index - 1]} {was} -> {now}" if index else f"{was} -> {now}"
            for index, (was, now) in enumerate(zip(before, after, strict=True))
            if was != now
        ]
        return ", ".join(pairs)
    return _from_to(" ".join(before), " ".join(after))


def _from_to(before: str, after: str) -> str:
    if len(before) > _LONGEST or len(after) > _LONGEST:
        return "changes"
    return f"{before or 'none'} -> {after or 'none'}"


def _by_keyword(lines: Iterable[str]) -> dict[str, list[str]]:
    """The rest of each line, by its keyword."""
    found: dict[str, list[str]] = {}
    for line in lines:
        first, _, rest = line.partition(" ")
        if first in _TWO_WORDS:
            second, _, rest = rest.partition(" ")
            first = f"{first} {second}"
        found.setdefault(first, []).append(rest)
    return found
