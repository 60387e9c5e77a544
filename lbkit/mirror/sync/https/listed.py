r"""A list of files with their digests, as sha256sum(1) writes it, and two more forms.

    DIGEST  NAME            text; `*NAME` where it was read as binary
    \DIGEST  NAME           the name is escaped: `\\` is a backslash
    SHA256 (NAME) = DIGEST  `sha256sum --tag`, BSD
    DIGEST SIZE NAME        with the size in bytes

Empty lines, and those that begin with `#`, say nothing. A list that has one line of another form is none: it may be half of one, or
a page that says that something went wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lbkit.base.errors import Failure

_SHA256 = rb"(?P<sha256>[0-9A-Fa-f]{64})"
_FORMS = (
    re.compile(rb"%s (?P<size>[0-9]{1,18}) (?P<name>.+)" % _SHA256, re.DOTALL),
    re.compile(rb"%s [ *](?P<name>.+)" % _SHA256, re.DOTALL),
    re.compile(rb"SHA256 \((?P<name>.+)\) = %s" % _SHA256, re.DOTALL),
)
_ESCAPE = re.compile(rb"\\([\\nr])")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_LONGEST, _LONGEST_PART = 4096, 255  # PATH_MAX, NAME_MAX


class BadList(Failure):
    """It is no list of files, or one that no tree can be made of."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`path` is relative, of plain parts; `size` None where the list does not say it."""

    path: bytes
    sha256: str
    size: int | None = None


def listed(content: bytes, where: str) -> dict[bytes, Listed]:
    """All files of it, by their paths. Raises BadList; at a list of no files, too."""
    found: dict[bytes, Listed] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        text = line.removesuffix(b"\r")
        if not text or text.startswith(b"#"):
            continue
        one = _listed(text, f"{where}, line {number}")
        if found.setdefault(one.path, one).sha256 != one.sha256:
            raise _bad(text, "the same file with another digest", f"{where}, line {number}")
    if both := next((each for each in folders_of(found) if each in found), None):
        raise _bad(both, "a file that is a folder, too", where)
    if not found:
        raise _bad(content, "no files at all", where)
    return found


def _listed(text: bytes, where: str) -> Listed:
    escaped = text.startswith(b"\\")
    for form in _FORMS:
        if (match := form.fullmatch(text[1:] if escaped else text)) is None:
            continue
        parts = match.groupdict()
        name = parts["name"]
        if escaped:
            name = _ESCAPE.sub(lambda each: {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}[each[1]], name)
        size = parts.get("size")
        return Listed(
            _path(name, where), parts["sha256"].decode().lower(), None if size is None else int(size)
        )
    raise _bad(text, "a line of another form", where)


def _path(name: bytes, where: str) -> bytes:
    """Below a folder, whatever it is; `./` at its beginning is nothing."""
    while name.startswith(b"./"):
        name = name[2:].lstrip(b"/")
    parts = name.split(b"/")
    if _CONTROL.search(name):
        raise _bad(name, "a name with a control character", where)
    if any(part in {b"", b".", b".."} for part in parts):
        raise _bad(name, "a path that is none below a folder", where)
    if len(name) > _LONGEST or any(len(part) > _LONGEST_PART for part in parts):
        raise _bad(name, "a path that is too long", where)
    return name


def folders_of(paths: Iterable[bytes]) -> set[bytes]:
    """All folders that those are in."""
    found: set[bytes] = set()
    for path in paths:
        above = path.rpartition(b"/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition(b"/")[0]
    return found


def _bad(text: bytes, what: str, where: str) -> BadList:
    return BadList(
        "a list of files with their SHA-256 was to be read",
        found=f"{what}: {text[:200].decode('utf-8', 'replace')!a}",
        where=where,
        remedy="look at what upstream gives at that address; `digests` names the list",
    )
