"""Names of zones and of what is in them: folded to lower case, relative to the zone, "@" for its apex.

A name is at most 255 octets in a message, a label 63 (RFC 1035 section 2.3.4); case does not matter (RFC 4343).
"""

from __future__ import annotations

import re

MARK_LABEL = "_lbkit"
MARK_OCTETS = len("_lbkit") + 1 + len("cname") + 1
"""What an owner mark adds to a name (ownership.py), so much shorter than 255 octets must the name be."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_LABEL_RULE = "labels of 1 to 63 letters, digits, '-' and '_', with no '-' at either end"


def zone_name(text: str) -> str:
    """A zone's name as `example.test`, without its last dot. ValueError says what is wrong."""
    name = text.lower().removesuffix(".")
    _check_labels(name.split("."), text)
    _check_length(name)
    return name


def owner_name(text: str, zone: str) -> str:
    """The owner name that a person wrote, relative to `zone`: "shop", "*.shop", "@". ValueError says what is wrong."""
    name = relative(text.lower(), zone, text)
    labels = [] if name == "@" else name.split(".")
    _check_labels(labels[1:] if labels[:1] == ["*"] else labels, text)
    if MARK_LABEL in labels[-1:]:
        raise ValueError(f"a name outside {MARK_LABEL}.{zone}, where lbkit keeps its owner marks")
    _check_length(absolute(name, zone), reserve=MARK_OCTETS)
    return name


def value_name(text: str, zone: str) -> str:
    """A name within a value, absolute: "mail" is in the zone, what has dots is written to its end ("mail.example.test.").

    One more dot decides between `a.b.` and `a.b.example.test.`, and zone files are wrong there most often: so
    it has to be written.
    """
    name = text.lower()
    if name in {"@", zone + "."}:
        return zone + "."
    if name == ".":
        return name
    if "." in name and not name.endswith("."):
        raise ValueError(f"a name with dots written to its end: '{name}.' or '{name}.{zone}.'")
    full = name.removesuffix(".") if name.endswith(".") else f"{name}.{zone}"
    _check_labels(full.split("."), text)
    _check_length(full)
    return full + "."


def absolute(name: str, zone: str) -> str:
    """A relative name with its zone, without the last dot."""
    return zone if name == "@" else f"{name}.{zone}"


def relative(name: str, zone: str, text: str) -> str:
    """`name`, in lower case, without its zone; `text` is as it was written. Its labels are not looked at."""
    if name in {"@", zone + "."}:
        return "@"
    if is_whole(name):
        if not _ends_with(name, f".{zone}."):
            raise ValueError(f"a name in the zone {zone}")
        return name.removesuffix(f".{zone}.")
    if name == zone or _ends_with(name, "." + zone):
        short = "@" if name == zone else name.removesuffix("." + zone)
        raise ValueError(f"a name relative to its zone ({short!r}), or whole with its last dot ('{text}.')")
    return name


def is_whole(name: str) -> bool:
    """Whether it is written to its end, with the last dot."""
    return _ends_with(name, ".")


def _ends_with(name: str, suffix: str) -> bool:
    """Whether its first dot is one: after an odd number of backslashes it is part of a label (RFC 1035 section 5.1)."""
    before = name.removesuffix(suffix)
    return before != name and (len(before) - len(before.rstrip("\\"))) % 2 == 0


def _check_labels(labels: list[str], text: str) -> None:
    if not text.isascii():
        raise ValueError("a name in ASCII; one of another script in its xn-- form (IDNA, RFC 5890)")
    for label in labels:
        if not _LABEL.match(label):
            raise ValueError(_LABEL_RULE)


def _check_length(name: str, reserve: int = 0) -> None:
    octets = len(name) + 2  # a length before each label, and the root's
    if octets > 255 - reserve:
        raise ValueError(
            f"a name of at most {255 - reserve} octets" + (" (its owner mark adds the rest)" * bool(reserve))
        )
