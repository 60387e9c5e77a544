"""Values of health checks: what would end a line, a header or a word is refused here, or is safe there."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from lbkit.base.model import Model
from lbkit.base.names import Form

MOST_OCTETS = 1024
"""Of what a check sends or waits for: it stands as one word in a line of haproxy.cfg."""

_CODES = r"[1-5][0-9]{2}(-[1-5][0-9]{2})?"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OTHER_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


def _codes(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_order(codes: str) -> str:
    first, _, last = codes.partition("-")
    if last and last < first:
        raise ValueError("a range of status codes, the lower one first")
    return codes


StatusCodes = Annotated[
    str,
    BeforeValidator(_codes, json_schema_input_type=Annotated[int, Field(ge=100, le=599)] | str),
    Form(_CODES, "a status code, or a range as 200-299"),
    AfterValidator(_in_order),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": f"^(?:{_CODES})$"},
            ]
        }
    ),
]
"""`200` or `200-299`."""


def _one_line(text: str) -> str:
    if _CONTROLS.search(text):
        raise ValueError("text without control characters or line breaks")
    return text


def _expression(pattern: str) -> str:
    try:
        re.compile(pattern.encode())
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    return pattern


Expression = Annotated[
    str, Field(min_length=1, max_length=MOST_OCTETS), AfterValidator(_one_line), AfterValidator(_expression)
]
"""A regular expression, searched for. HAProxy reads it as PCRE2, lbkit's probe as Python does: write what both have."""

OneLine = Annotated[str, Field(min_length=1, max_length=MOST_OCTETS), AfterValidator(_one_line)]

HeaderName = Annotated[  # RFC 9110 section 5.1
    str,
    StringConstraints(max_length=128),
    Form(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of an HTTP header"),
]

HeaderValue = Annotated[
    str,
    StringConstraints(max_length=1024),
    Form(r"[!-~]([ -~]*[!-~])?", "one line of ASCII without a space at either end"),
]

HostHeader = Annotated[
    str,
    StringConstraints(max_length=260),
    Form(
        r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?",
        "a name or an address, and a port where it is not the usual one",
    ),
]

DnsName = Annotated[
    str,
    StringConstraints(max_length=253),
    Form(
        r"[A-Za-z0-9_]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9-]{0,62})*",
        "a DNS name",
    ),
]


def _sendable(text: str) -> str:
    if _OTHER_CONTROLS.search(text):
        raise ValueError(
            "text whose only control characters are \\r, \\n and \\t; other octets as {hex: ...}"
        )
    if len(text.encode()) > MOST_OCTETS:
        raise ValueError(f"at most {MOST_OCTETS} bytes")
    return text


class Hex(Model):
    """Octets that are no text, two hexadecimal digits each."""

    hex: Annotated[
        str,
        StringConstraints(max_length=2 * MOST_OCTETS),
        Form("([0-9A-Fa-f]{2})+", "pairs of hexadecimal digits"),
    ]


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_sendable)]


def _which(value: Any) -> str:
    return "hex" if isinstance(value, dict | Hex) else "text"


Octets = Annotated[
    Annotated[Text, Tag("text")] | Annotated[Hex, Tag("hex")],
    Discriminator(_which),
]
"""What goes over the wire as it is: text ("PING\\r\\n"), or `{hex: 50494e47}`."""


def octets(value: str | Hex) -> bytes:
    return bytes.fromhex(value.hex) if isinstance(value, Hex) else value.encode()
