"""Patterns of what is left out, as rsync reads them (rsync(1), PATTERN MATCHING RULES), for upstreams that rsync has no part in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator


def excluded_by(patterns: Iterable[str]) -> Callable[[bytes], bool]:
    """Whether a file of that path is left out: by its own name, or by that of a folder that it is in."""
    rules = [
        (re.compile(_regex(pattern.rstrip("/"))), pattern.endswith("/")) for pattern in patterns if pattern
    ]

    def excluded(path: bytes) -> bool:
        return any(
            rule.fullmatch(each)
            for each, folder in _levels(path)
            for rule, folders_alone in rules
            if folder or not folders_alone
        )

    return excluded


def _levels(path: bytes) -> Iterator[tuple[bytes, bool]]:
    yield path, False
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path, True


def _regex(pattern: str) -> bytes:
    """Anchored at the top where it begins with a slash; else it is the end of a path, from a whole name on."""
    anchored, text = pattern.startswith("/"), pattern.lstrip("/").encode(errors="surrogateescape")
    found = b"" if anchored else b"(?s:.*/)?"
    if not re.search(rb"[*?\[]", text):  # without a wildcard a backslash is one
        return found + re.escape(text)
    at = 0
    if text.startswith(b"**/"):
        found, at = b"(?s:.*/)?", 3
    while at < len(text):
        rest = text[at:]
        if rest == b"/***":  # the folder, and all that is in it
            return found + b"(?s:/.*)?"
        if rest.startswith(b"**"):
            found += b"(?s:.*)"
            at += len(rest) - len(rest.lstrip(b"*"))
        elif rest[:1] == b"*":
            found += b"[^/]*"
            at += 1
        elif rest[:1] == b"?":
            found += b"[^/]"
            at += 1
        elif rest[:1] == b"[" and (end := rest.find(b"]", 2)) > 0:
            inside = re.sub(rb"([\\\[\]&~|])", rb"\\\1", rest[1:end])
            inside = b"^" + inside[1:] if inside[:1] == b"!" else inside
            found += b"(?!/)[" + inside + b"]"
            at += end + 1
        elif rest[:1] == b"\\" and len(rest) > 1:
            found += re.escape(rest[1:2])
            at += 2
        else:
            found += re.escape(rest[:1])
            at += 1
    return found
