"""XML elements out of checked text, and elements out of XML that anyone may have written."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from lbkit.base.errors import Mistake

MOST = (
    4 << 20
)  # bytes of one document that are read: libvirt's own limit of a message (VIR_NET_MESSAGE_MAX) is higher

# What XML 1.0 has no way to say (its production 2), and what the reading of attributes would change (its 3.3.3)
_REFUSED = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]")


class Unreadable(ValueError):
    """A document that lbkit does not read: not XML, not of the kind, or made to harm."""


def line(value: str, what: str) -> str:
    """`value`, which is one line of text that XML can hold."""
    if _REFUSED.search(value):
        raise Mistake(f"{what} was to be text without control characters", found=ascii(value))
    return value


def word(value: str, pattern: str, what: str) -> str:
    """`value`, all of which fits `pattern`."""
    if not re.fullmatch(pattern, value, re.ASCII):
        raise Mistake(f"{what} was to fit {pattern}", found=ascii(value))
    return value


def path(value: str, what: str) -> str:
    """An absolute path that XML can hold."""
    if not value.startswith("/"):
        raise Mistake(f"{what} was to be an absolute path", found=ascii(value))
    return line(value, what)


def element(tag: str, *inner: ET.Element | str | None, **attributes: str | int | None) -> ET.Element:
    """An element with its children, or its text. None is left out; a "_" at an attribute's end is dropped (type_)."""
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            plain = name.rstrip("_")
            made.set(plain, line(str(value), f"{tag}/@{plain}"))
    for each in inner:
        if isinstance(each, str):
            made.text = line(each, tag)
        elif each is not None:
            made.append(each)
    return made


def as_text(root: ET.Element) -> str:
    """The document, indented as libvirt does it. `root` is not changed."""
    copy = ET.fromstring(ET.tostring(root, encoding="unicode"))  # noqa: S314 - of our own making
    ET.indent(copy)
    return ET.tostring(copy, encoding="unicode") + "\n"


def parse(text: str, tag: str) -> ET.Element:
    """The root of a document, whose name is `tag`. Raises `Unreadable`, and nothing else.

    Entities are for whoever sends a document to harm: libvirt never writes a document type.
    """
    if len(text) > MOST or "<!DOCTYPE" in text:
        raise Unreadable("a document type" if len(text) <= MOST else f"{len(text)} characters")
    try:
        root = ET.fromstring(text)  # noqa: S314 - there is no document type
    except (ET.ParseError, ValueError) as error:
        raise Unreadable(str(error)) from error
    if root.tag != tag:
        raise Unreadable(f"<{root.tag}> instead of <{tag}>")
    return root


def text_at(parent: ET.Element, where: str) -> str:
    """The text of the first element at `where`, or "" where there is none."""
    return (parent.findtext(where) or "").strip()


def attribute(parent: ET.Element, where: str, name: str) -> str:
    """An attribute of the first element at `where`, or "" where there is none."""
    found = parent if where == "." else parent.find(where)
    return "" if found is None else found.get(name, "")


def number(text: str) -> int:
    """A whole number of at most 18 digits; 0 where it is none: no thing of ours has that."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else 0
