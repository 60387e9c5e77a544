"""Names as types: what reaches a configuration file, a link, a path or a zone is refused here or is safe there."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

LINK_NAME_BYTES = 15  # IFNAMSIZ - 1, linux/if.h

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")  # RFC 1123 section 2.1, lower case
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def _label(text: str) -> str:
    if not _LABEL.match(text):
        raise ValueError("1 to 63 of a-z, 0-9 and '-', with no '-' at either end (RFC 1123)")
    return text


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("text without control characters or line breaks")
    return text


def _relative_path(text: str) -> str:
    parts = text.split("/")
    if (
        not text
        or text.startswith("/")
        or _CONTROL.search(text)
        or any(part in {"", ".", ".."} for part in parts)
    ):
        raise ValueError("a relative path that does not climb ('..') and names a file")
    return text


Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"),
    AfterValidator(_label),
]
"""A DNS label in lower case: names of topologies, networks, groups, load balancers, backends, servers."""

Printable = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_printable)]
"""One line of text: an argument, an environment value."""

RelativePath = Annotated[str, StringConstraints(max_length=255), AfterValidator(_relative_path)]
"""A path below a folder that lbkit made."""


def link_name(*parts: str) -> str:
    """A link name for what no person names (the host's end of a veth): stable, unique, 12 bytes."""
    return "lb" + hashlib.sha256("/".join(parts).encode()).hexdigest()[:10]
