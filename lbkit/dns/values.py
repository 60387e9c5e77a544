"""Values of records, in one form: what a person writes and what a server holds compare as text.

The form is that of zone files (RFC 1035 section 5.1), names absolute and in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lbkit.dns.names import value_name

STRING_OCTETS = 255  # a character-string, RFC 1035 section 3.3

_NUMBER = re.compile(r"[0-9]{1,5}\Z")
_TAG = re.compile(r"[a-z0-9]{1,15}\Z")  # RFC 8659 section 4.1
_SPECIAL = re.compile(rb'["\\]|[^ -~]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse(kind: str, text: str, zone: str) -> str:
    """The value that a person wrote for a record of type `kind`, in its one form. ValueError says what is wrong."""
    if _CONTROL.search(text):
        raise ValueError("a value without control characters or line breaks")
    return _PARSERS[kind](text, zone)


def read(kind: str, rdata: Any) -> str:
    """The same form of what dnspython holds for a record of type `kind`. Names in it are absolute."""
    return _READERS[kind](rdata)


def quoted(octets: bytes) -> str:
    """A character-string as zone files write it."""
    if not _SPECIAL.search(octets):
        return f'"{octets.decode("ascii")}"'
    text = "".join(
        f"\\{chr(octet)}" if octet in b'"\\' else chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}"
        for octet in octets
    )
    return f'"{text}"'


def text_value(octets: bytes) -> str:
    """A TXT value: as many strings of at most 255 octets as it takes (RFC 7208 section 3.3 reads them as one)."""
    parts = [octets[at : at + STRING_OCTETS] for at in range(0, len(octets), STRING_OCTETS)] or [b""]
    return " ".join(quoted(part) for part in parts)


def _parse_a(text: str, _zone: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError("an IPv4 address") from None


def _parse_aaaa(text: str, _zone: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise ValueError("an IPv6 address") from None
    if address.scope_id:
        raise ValueError("an IPv6 address without a zone index")
    return str(address)


def _parse_text(text: str, _zone: str) -> str:
    octets = text.encode()
    if len(octets) > 32_768:
        raise ValueError("at most 32768 octets of text")
    return text_value(octets)


def _fields(text: str, form: str) -> list[str]:
    fields = text.split()
    if len(fields) != len(form.split()):
        raise ValueError(f"a value of the form '{form}'")
    return fields


def _number(text: str, what: str, limit: int = 65535) -> int:
    if not _NUMBER.match(text) or int(text) > limit:
        raise ValueError(f"a {what} from 0 to {limit}")
    return int(text)


def _parse_mx(text: str, zone: str) -> str:
    preference, exchange = _fields(text, "PREFERENCE EXCHANGE")
    return f"{_number(preference, 'preference')} {value_name(exchange, zone)}"


def _parse_srv(text: str, zone: str) -> str:
    priority, weight, port, target = _fields(text, "PRIORITY WEIGHT PORT TARGET")
    numbers = f"{_number(priority, 'priority')} {_number(weight, 'weight')} {_number(port, 'port')}"
    return f"{numbers} {value_name(target, zone)}"


def _parse_caa(text: str, _zone: str) -> str:
    fields = text.split(None, 2)
    if len(fields) != 3:
        raise ValueError("a value of the form 'FLAGS TAG VALUE', such as '0 issue ca.example.net'")
    flags, tag, value = fields
    if not _TAG.match(tag.lower()):
        raise ValueError("a tag of letters and digits, such as issue, issuewild or iodef (RFC 8659)")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if '"' in value or "\\" in value or not value.isascii():
        raise ValueError("a CAA value in ASCII, without quotes or backslashes inside")
    return f"{_number(flags, 'flags byte', 255)} {tag.lower()} {quoted(value.encode())}"


_PARSERS: dict[str, Callable[[str, str], str]] = {
    "A": _parse_a,
    "AAAA": _parse_aaaa,
    "CAA": _parse_caa,
    "CNAME": value_name,
    "MX": _parse_mx,
    "NS": value_name,
    "PTR": value_name,
    "SRV": _parse_srv,
    "TXT": _parse_text,
}

_READERS: dict[str, Callable[[Any], str]] = {
    "A": lambda rdata: str(IPv4Address(rdata.address)),
    "AAAA": lambda rdata: str(IPv6Address(rdata.address)),
    "CAA": lambda rdata: f"{rdata.flags} {rdata.tag.decode('latin-1').lower()} {quoted(rdata.value)}",
    "CNAME": lambda rdata: _name(rdata.target),
    "MX": lambda rdata: f"{rdata.preference} {_name(rdata.exchange)}",
    "NS": lambda rdata: _name(rdata.target),
    "PTR": lambda rdata: _name(rdata.target),
    "SRV": lambda rdata: f"{rdata.priority} {rdata.weight} {rdata.port} {_name(rdata.target)}",
    "TXT": lambda rdata: " ".join(quoted(string) for string in rdata.strings),
}

TYPES = frozenset(_PARSERS)
"""The record types that lbkit manages."""


def _name(name: Any) -> str:
    text: str = name.to_text()
    return text.lower()
