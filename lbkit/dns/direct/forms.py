"""Names and values of any zone in the one form in which they compare, also those that no topology would declare.

The form is that of zone files (RFC 1035 section 5.1). ValueErrors say what is wrong, for a person.
"""

from __future__ import annotations

import re
from typing import Any

from lbkit.dns.names import MARK_LABEL, absolute, is_whole, relative, value_name
from lbkit.dns.values import TYPES, parse, read
from lbkit.dns.zonedata import DNSSEC_TYPES

OF_THE_SERVER = DNSSEC_TYPES | {"SOA", "ZONEMD"}
"""Types that the zone's server keeps by itself: never in a wish, never pruned."""

_PLAIN = re.compile(r'(?:[^\s\x00-\x20"();@$\\\x7f-\U0010ffff]|\\[0-9]{3}|\\[!-/:-~])+\Z')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\\.')
_AMBIGUOUS = re.compile("[\u00df\u03c2\u200c\u200d]")
"""What IDNA 2003 and 2008 write differently (Unicode Technical Standard 46, section 4.2)."""

_ENDS_WITH_NAME = frozenset({"CNAME", "MX", "NS", "PTR", "SRV"})


def kind_of(text: str) -> str:
    """A type's name, as TYPE65280 too (RFC 3597)."""
    import dns.exception  # noqa: PLC0415
    import dns.rdatatype  # noqa: PLC0415

    try:
        number = dns.rdatatype.from_text(text.strip().upper())
    except (dns.exception.DNSException, ValueError):
        raise ValueError("a type of records, such as A or TXT") from None
    kind: str = dns.rdatatype.to_text(number)
    if dns.rdatatype.is_metatype(number) or kind in {"TYPE0", "NONE"}:
        raise ValueError("a type of records that a zone can hold")
    if kind in OF_THE_SERVER:
        raise ValueError("a type that the zone's server does not keep by itself")
    return kind


def has_one_value(kind: str) -> bool:
    """Whether an rrset of that type has one value at most (RFC 2181 section 10.1, RFC 6672 section 2.4)."""
    return kind in {"CNAME", "DNAME"}


def zone_of(text: str) -> str:
    """A zone's name without its last dot."""
    return _canonical(_ascii(text).lower().removesuffix("."))


def name_of(text: str, zone: str) -> str:
    """The owner name that a person wrote, relative to `zone`: "shop", "*.shop", "@"."""
    name = relative(_ascii(text).lower(), zone, text)
    if name == "@":
        return name
    name = _canonical(name)
    if name == MARK_LABEL or name.endswith(f".{MARK_LABEL}"):
        raise ValueError(f"a name outside {MARK_LABEL}.{zone}, where lbkit keeps its owner marks")
    _canonical(absolute(name, zone))
    return name


def whole_name_of(text: str) -> str:
    """A name that ends with its dot, without that."""
    name = _ascii(text).lower()
    if not is_whole(name):
        raise ValueError("a whole name, which ends with a dot, where no zone is said")
    return _canonical(name.removesuffix("."))


def value_of(kind: str, text: str, zone: str) -> str:
    """The value that a person wrote. TXT: the text itself; or, where it begins with a double quote, as zone files have it."""
    if _CONTROL.search(text):
        raise ValueError("a value without control characters or line breaks")
    if kind == "TXT" and not text.startswith('"'):
        return parse(kind, text, zone)
    if kind in _ENDS_WITH_NAME and text.split():
        *numbers, name = text.split()
        form = parse(kind, " ".join([*numbers, "."]), zone)
        return form.removesuffix(".") + _target(name, zone)
    if kind in TYPES and kind != "TXT" and "\\" not in text:
        return parse(kind, text, zone)
    return _by_zone_file(kind, text, zone)


def reading(kind: str, rdata: Any) -> str | None:
    """The same form of what dnspython holds, of any type; None of what the server keeps by itself."""
    if kind in OF_THE_SERVER:
        return None
    if kind in TYPES:
        return read(kind, rdata)
    import dns.name  # noqa: PLC0415
    import dns.rdata  # noqa: PLC0415

    # names in it in lower case where that is their canonical form (RFC 4034 section 6.2)
    wire = rdata.to_digestable(dns.name.root)
    text: str = dns.rdata.from_wire(rdata.rdclass, rdata.rdtype, wire, 0, len(wire)).to_text()
    return text


def _by_zone_file(kind: str, text: str, zone: str) -> str:
    import dns.exception  # noqa: PLC0415
    import dns.name  # noqa: PLC0415
    import dns.rdata  # noqa: PLC0415

    if ";" in _QUOTED.sub("", text):  # it and what follows would be passed over
        raise ValueError("a value without a comment; a semicolon stands in quotes, or as \\059")
    if not text.isascii():
        raise ValueError(f"a {kind} value in ASCII, other octets as \\DDD")
    try:
        origin = dns.name.from_text(zone + ".")
        rdata = dns.rdata.from_text("IN", kind, text, origin=origin, relativize=False)
        value = reading(kind, rdata)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"a {kind} value as zone files have it: {error}") from None
    if value is None:
        raise ValueError("a type that the zone's server does not keep by itself")
    return value


def _target(text: str, zone: str) -> str:
    """A name within a value, absolute. As in a topology; one written to its end may have any label."""
    name = _ascii(text).lower()
    if not name.endswith(".") or name == ".":
        return value_name(name, zone)
    return _canonical(name.removesuffix(".")) + "."


def _ascii(text: str) -> str:
    """Labels of other scripts in their xn-- form (IDNA 2003, RFC 3490)."""
    if text.isascii():
        return text
    if _AMBIGUOUS.search(text):
        raise ValueError(
            "a name with this letter in its xn-- form, because programs differ in how they write it"
        )
    labels = []
    for label in re.split("[.\u3002\uff0e\uff61]", text):
        try:
            labels.append(label if label.isascii() else label.encode("idna").decode("ascii"))
        except UnicodeError:
            raise ValueError("a name that IDNA can write, or its xn-- form") from None
    return ".".join(labels)


def _canonical(name: str) -> str:
    import dns.exception  # noqa: PLC0415
    import dns.name  # noqa: PLC0415

    if not _PLAIN.match(name):
        raise ValueError("a name of printable ASCII, other octets escaped as zone files have them (\\032)")
    try:
        parsed = dns.name.from_text(name + ".")
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"a name with labels of 1 to 63 octets, 255 in all ({error})") from None
    text: str = parsed.to_text(omit_final_dot=True)
    return text.lower()
