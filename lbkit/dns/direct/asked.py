"""What a person asks of a zone, checked: every mistake is said at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbkit.base.duration import seconds_of
from lbkit.base.errors import Mistake
from lbkit.base.problems import InvalidDocument, Path, Problems, near
from lbkit.dns.direct.forms import has_one_value, kind_of, name_of, value_of, whole_name_of, zone_of
from lbkit.dns.values import TYPES

DEFAULT_TTL = 300
_LONGEST_TTL = 2**31 - 1  # RFC 2181 section 8
_FIELDS = ("name", "type", "ttl", "values")
_DIGITS = re.compile(r"[0-9]{1,10}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One rrset as it was asked for. `ttl` None: the one that it has. `values` None: the whole rrset, to be absent."""

    name: str
    kind: str
    ttl: int | None
    values: frozenset[str] | None

    @property
    def place(self) -> tuple[str, str]:
        return self.name, self.kind


@dataclass(frozen=True, slots=True)
class Keep:
    """Rrsets that a prune leaves: a name with `*` for any characters, and a type or any."""

    pattern: re.Pattern[str]
    kind: str | None

    def covers(self, name: str, kind: str) -> bool:
        return self.kind in {None, kind} and self.pattern.match(name) is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """`append`: the values shall be among those that stand. `prune`: what is not asked for goes, but what `keep` covers.

    `on_existing` is of rrsets that stand, and not as asked: `replace` changes them, `keep` leaves them, `fail` does nothing at all.
    """

    zone: str
    records: tuple[Record, ...]
    absent: bool = False
    append: bool = False
    prune: bool = False
    keep: tuple[Keep, ...] = ()
    ttl: int = DEFAULT_TTL
    on_existing: str = "replace"


def asked(
    zone: str,
    records: Sequence[Mapping[str, Any]],
    *,
    state: str = "present",
    values: str = "exact",
    prune: bool = False,
    keep: Sequence[str] = (),
    ttl: int | str = DEFAULT_TTL,
    on_existing: str = "replace",
) -> Asked:
    """Checked. `state` is present or absent, `values` exact or append, `on_existing` replace, keep or fail.

    Raises InvalidDocument, with every mistake.

    Each record is `{name, type, ttl, values}`; `ttl` may be left out, and with state absent `values` too: the whole
    rrset is meant then.
    """
    problems = Problems()
    zone = _zone(zone, problems)
    absent = _one_of(state, ("present", "absent"), ("state",), problems) == "absent"
    append = _one_of(values, ("exact", "append"), ("values",), problems) == "append"
    _one_of(on_existing, ("replace", "keep", "fail"), ("on_existing",), problems)
    default = _ttl(ttl, ("ttl",), problems)
    found: dict[tuple[str, str], Record] = {}
    for index, given in enumerate(records):
        here: Path = ("records", index)
        record = _record(zone, given, here, problems, absent=absent)
        if record is None:
            continue
        if record.place in found:
            problems.add(
                here,
                "each name and type once, with all its values",
                found=f"{record.name} {record.kind} again",
            )
        found[record.place] = record
    if not absent:
        _alone(found.values(), problems)
    if prune and absent:
        problems.add(("prune",), "prune with state present alone", found="state absent")
    elif prune and not records:
        problems.add(
            ("records",),
            "at least one record where prune is set",
            found="none, so that the whole zone would go",
            remedy="list what shall stand",
        )
    if absent and on_existing != "replace":
        problems.add(("on_existing",), f"{on_existing} with state present alone", found="state absent")
    kept = [one for index, text in enumerate(keep) if (one := _keep(zone, text, ("keep", index), problems))]
    if problems:
        raise InvalidDocument("the task", problems)
    return Asked(zone, tuple(found.values()), absent, append, prune, tuple(kept), default or 0, on_existing)


def whole_places(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Names, whole, and types of records that say no zone. Raises InvalidDocument."""
    problems = Problems()
    if not records:
        problems.add(("zone",), "the zone's name, as there is no record whose zone could be asked for")
    found = [_place(None, given, ("records", index), problems) for index, given in enumerate(records)]
    if problems:
        raise InvalidDocument("the task", problems)
    return tuple(dict.fromkeys(place for place in found if place))


def places(zone: str, names: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Names and types that shall be asked for, each `{name, type}`. Raises InvalidDocument."""
    problems = Problems()
    zone = _zone(zone, problems)
    found = [_place(zone, given, ("names", index), problems) for index, given in enumerate(names)]
    if problems:
        raise InvalidDocument("the task", problems)
    return tuple(dict.fromkeys(place for place in found if place))


def seconds(given: float | str, where: str) -> float:
    """From a number, "30", "30s" or "2m". Raises Mistake."""
    text = str(given)
    try:
        return float(text) if _DIGITS.match(text) else seconds_of(text)
    except ValueError as error:
        raise Mistake(str(error), found=repr(given), where=where) from None


def _zone(text: str, problems: Problems) -> str:
    try:
        return zone_of(text)
    except ValueError as error:
        problems.add(("zone",), str(error), found=repr(text))
        return "invalid"


def _one_of(word: str, words: tuple[str, ...], place: Path, problems: Problems) -> str:
    if word not in words:
        problems.add(place, " or ".join(words), found=repr(word))
    return word


def _record(
    zone: str, given: Mapping[str, Any], here: Path, problems: Problems, *, absent: bool
) -> Record | None:
    for unknown in sorted(set(given) - set(_FIELDS)):
        problems.add(
            (*here, unknown), "a field of records", found=repr(unknown), remedy=near(unknown, _FIELDS)
        )
    place = _place(zone, given, here, problems)
    texts = given.get("values")
    ttl = None if given.get("ttl") is None else _ttl(given["ttl"], (*here, "ttl"), problems)
    if texts is None and not absent:
        problems.add((*here, "values"), "the values that shall stand")
    if isinstance(texts, str) or (texts is not None and not texts):
        # an empty list comes of a filter that found nothing more often than it means a whole rrset
        remedy = (
            "leave `values` out, and the whole rrset goes"
            if absent
            else "state absent without `values` removes the rrset"
        )
        problems.add((*here, "values"), "a list of at least one value", found=repr(texts), remedy=remedy)
        return None
    if place is None:
        return None
    values: set[str] = set()
    for index, text in enumerate(texts or ()):
        at = (*here, "values", index)
        try:
            value = value_of(place[1], str(text), zone)
        except ValueError as error:
            problems.add(at, str(error), found=repr(text))
            continue
        if value in values:
            problems.add(at, "each value once", found=value)
        values.add(value)
    if len(values) > 1 and has_one_value(place[1]):
        problems.add(
            (*here, "values"),
            f"one value for a {place[1]} (RFC 2181 section 10.1)",
            found=", ".join(sorted(values)),
        )
    return Record(*place, ttl, None if texts is None else frozenset(values))


def _place(
    zone: str | None, given: Mapping[str, Any], here: Path, problems: Problems
) -> tuple[str, str] | None:
    """`zone` None: the name has to be whole, and is told without its last dot."""
    found: dict[str, str] = {}
    for word in ("name", "type"):
        text = given.get(word)
        if not isinstance(text, str) or not text:
            problems.add((*here, word), f"the {word} of the rrset", found="" if text is None else repr(text))
            continue
        try:
            if word == "type":
                found[word] = kind_of(text)
            else:
                found[word] = name_of(text, zone) if zone is not None else whole_name_of(text)
        except ValueError as error:
            remedy = near(text.upper(), TYPES) if word == "type" else ""
            problems.add((*here, word), str(error), found=repr(text), remedy=remedy)
    if len(found) < 2:
        return None
    if found["name"] == "@" and found["type"] == "CNAME":
        problems.add(
            (*here, "type"),
            "another type at the zone's apex, which has an SOA and its servers' NS",
            found="CNAME",
        )
        return None
    return found["name"], found["type"]


def _alone(records: Iterable[Record], problems: Problems) -> None:
    kinds: dict[str, set[str]] = {}
    for record in records:
        kinds.setdefault(record.name, set()).add(record.kind)
    for name, beside in sorted(kinds.items()):
        if "CNAME" in beside and len(beside) > 1:
            others = ", ".join(sorted(beside - {"CNAME"}))
            problems.add(
                ("records",),
                "a CNAME alone at its name (RFC 1034 section 3.6.2)",
                found=f"{others} at {name!r} too",
            )


def _ttl(given: object, here: Path, problems: Problems) -> int | None:
    text = str(given)
    try:
        found = float(text) if _DIGITS.match(text) else seconds_of(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= _LONGEST_TTL or found != int(found):
        problems.add(
            here,
            f"whole seconds up to {_LONGEST_TTL}, or a duration such as 5m (RFC 2181 section 8)",
            found=repr(given),
        )
        return None
    return int(found)


def _keep(zone: str, text: str, here: Path, problems: Problems) -> Keep | None:
    name, *rest = text.lower().split() or [""]
    try:
        if not name or len(rest) > 1:
            raise ValueError("NAME or 'NAME TYPE', such as '_acme-challenge*' or '* DS'")  # noqa: TRY301 - one way out
        kind = kind_of(rest[0]) if rest else None
        name = name_of(name, zone)
    except ValueError as error:
        problems.add(here, str(error), found=repr(text))
        return None
    pattern = ".*".join(re.escape(part) for part in name.split("*"))
    return Keep(re.compile(pattern + r"\Z", re.DOTALL), kind)
