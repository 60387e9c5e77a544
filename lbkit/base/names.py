"""Names as types: what reaches a configuration file, a link, a path or a zone is refused here or is safe there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

LINK_NAME_BYTES = 15  # IFNAMSIZ - 1, linux/if.h

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Form:
    """Metadata of a text type: `pattern` matches the whole text, `words` tell a person so.

    The pattern is in the common part of Python's and JSON Schema's dialects, and keeps to ASCII.
    """

    pattern: str
    words: str

    def check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(self.words)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "patternErrorMessage": self.words}


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
    Form(  # RFC 1123 section 2.1, in lower case
        "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "a name of 1 to 63 of a-z, 0-9 and '-', with no '-' at either end",
    ),
]
"""A DNS label in lower case: names of topologies, networks, groups, load balancers, backends, servers."""

Printable = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_printable)]
"""One line of text: an argument, an environment value."""

RelativePath = Annotated[str, StringConstraints(max_length=255), AfterValidator(_relative_path)]
"""A path below a folder that lbkit made."""


def link_name(*parts: str) -> str:
    """A link name for what no person names (the host's end of a veth): stable, unique, 12 bytes."""
    return "lb" + hashlib.sha256("/".join(parts).encode()).hexdigest()[:10]
