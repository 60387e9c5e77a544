"""Hosts, paths and locations as in URLs: types that refuse what a map or a line of HAProxy's could not hold."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, StringConstraints

from lbkit.base.names import Form


def _host(text: str) -> str:
    if len(text) > 253 or (text.startswith("*.") and re.search(r"\.[0-9]+$", text)):
        raise ValueError(_HOST_WORDS)
    return text.lower()


_HOST_WORDS = (
    "a host as in a URL, without a port: shop.example.test, *.example.test for all one label below, 192.0.2.1; "
    "international names as xn--..."
)
_HOST_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HostPattern = Annotated[
    str, Form(rf"(\*\.)?{_HOST_LABEL}(\.{_HOST_LABEL})*", _HOST_WORDS), AfterValidator(_host)
]
"""A host, in lower case, or all hosts that are one label below one: what a certificate's wildcard means, too."""

_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _path(text: str) -> str:
    if not text.startswith("/") or "?" in text or "#" in text:
        raise ValueError("a path as in a URL: it begins with '/' and ends before any '?' or '#'")
    if _NO_ESCAPE.search(text):
        raise ValueError("after '%' two hexadecimal digits; the sign itself is written %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ValueError("a path whose escapes (%C3%A9) are UTF-8") from error
    if not decoded.isprintable() or " " in decoded or "\\" in decoded:
        raise ValueError("a path without spaces, backslashes and control characters: maps cannot hold them")
    if "//" in decoded or {".", ".."} & set(decoded.split("/")):
        raise ValueError(
            "a path without '//', '/./' and '/../': requests are never compared with those in them"
        )
    return decoded


def _prefix(path: str) -> str:
    return path.rstrip("/") or "/"


UrlPath = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_path)]
"""A path with its escapes decoded: what requests' paths are compared with, decoded too."""
UrlPrefix = Annotated[UrlPath, AfterValidator(_prefix)]
"""The same without a slash at its end, but for the root."""

_SET = r"\[\^?(?:\\[^\s\x7f]|[^\]\[\\\s])+\]"
_REGEX_PART = re.compile(
    r"(?:\\(?:[dDwWsSbB]|[^A-Za-z0-9\s])|" + _SET + r"|\((?:\?[:=!]|(?!\?))|[^\\\[(\s^$#])*\Z", re.ASCII
)


def _regex(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError(
            "a regular expression of printable ASCII, without spaces; a path is compared decoded"
        )
    if not _REGEX_PART.match(text):
        raise ValueError(
            "a regular expression of the whole path, without ^ and $, of plain characters, ( ) | [ ] . * + ? { } and "
            r"\d \w \s \b; other escapes, (?...) but for (?: (?= (?!, and [ within [ ] are left out"
        )
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression: {error}") from error
    return text


PathRegex = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_regex)]
"""A regular expression of a whole path, in what Python's and PCRE's dialects share: one that cannot leave the group
that lbkit puts around it."""

_URL_CHARACTER = r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]"
Location = Annotated[
    str,
    Form(
        rf"(https?://({_HOST_LABEL}(\.{_HOST_LABEL})*|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?([/?#]{_URL_CHARACTER}*)?"
        rf"|/(?!/){_URL_CHARACTER}*)",
        "a URL (https://example.test/new) or a path (/new), with everything else than the characters of URLs escaped",
    ),
    StringConstraints(max_length=2048),
]
"""Where a redirect leads. Not `//host`, which a browser takes for another host."""
