"""Put another text in the place of one value of a topology's file: everything else stays, byte for byte."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, NamedTuple

from lbkit.base.errors import Failure, Mistake
from lbkit.base.files import FileFailure, read_given, shown, write_atomic
from lbkit.base.problems import Path as Place
from lbkit.base.problems import dotted
from lbkit.topology.document import MOST_BYTES, Document, Scalar

_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Edit:
    """`line` counts from 1. `write` puts `after` in the file's place, which must still be `before`."""

    path: Path
    line: int
    before: bytes
    after: bytes

    @property
    def text(self) -> str:
        """As it will be read."""
        return self.after.decode("utf-8-sig")

    def write(self) -> None:
        """At once; mode, owner and links that lead to it stay."""
        real = self.path.resolve()
        content, status = read_given(real, "the topology", most=MOST_BYTES)
        if content != self.before:
            raise Failure(
                f"{shown(self.path)} was to be changed at line {self.line}",
                found="somebody else changed it meanwhile",
                remedy="nothing was written; try again",
            )
        try:
            write_atomic(real, self.after, mode=status.st_mode & 0o7777, owner=(status.st_uid, status.st_gid))
        except FileFailure as error:
            error.remedy = error.remedy or "nothing was written"
            raise


class _Spot(NamedTuple):
    """Where the value stands in the text, from `start` up to `end`; `quote` is what it stands in."""

    start: int
    end: int
    quote: str


class _Unclear(Exception):
    """Why one place of the text is not the whole of the value, or not its alone."""


def opened(path: Path) -> Edit:
    """The file as it is, to be edited."""
    content, _ = read_given(path, "the topology", most=MOST_BYTES)
    return Edit(path, 0, content, content)


def edit(path: Path, place: Place, value: str | int, *, on: Edit | None = None) -> Edit:
    """Of a text or a whole number at `place`, keys from the root ("mirrors", "debian", "master"). Mistake where it is not plainly there:
    then a person has to do it. Nothing is written. `on`: an edit of the same file that is to be written with it, as one.
    """
    on = on or opened(path)
    after = on.after
    mark = codecs.BOM_UTF8 if after.startswith(codecs.BOM_UTF8) else b""
    text = after.removeprefix(mark).decode()
    is_json = str(path).endswith(".json")
    number = isinstance(value, int)
    try:
        spot = _in_json(text, place, number=number) if is_json else _in_yaml(text, place)
        edited = _checked(text, spot, place, value, is_json=is_json)
    except _Unclear as why:
        raise Mistake(
            f"{dotted(place)} was to be changed to {value}",
            found=str(why),
            where=shown(path),
            remedy=f"write `{place[-1]}: {value}` there yourself, then `lbkit apply`; nothing was written",
        ) from None
    return Edit(path, text.count("\n", 0, spot.start) + 1, on.before, mark + edited.encode())


def _checked(text: str, spot: _Spot, place: Place, value: str | int, *, is_json: bool) -> str:
    """The text with the value in it, which says nothing else than before but that."""
    before = read(text, is_json=is_json)
    number = isinstance(value, int)
    there = before.find(place)
    if number and not (
        isinstance(there, Scalar) and type(there.value) is not bool and isinstance(there.value, int)
    ):
        raise _Unclear("it is no whole number")
    for quote in ("",) if number else (spot.quote, '"'):
        after = f"{text[: spot.start]}{quote}{value}{quote}{text[spot.end :]}"
        now = read(after, is_json=is_json)
        found = now.find(place)
        if not isinstance(found, Scalar) or found.value != value:
            continue
        if _blank(before.plain, place) == _blank(now.plain, place):
            return after
        raise _Unclear("what stands there is meant at another place, too: by an alias")
    raise _Unclear(f"what would stand there would not be read as {value!r}")


def read(text: str, *, is_json: bool) -> Document:
    """What a topology's text says. InvalidDocument where it cannot be read."""
    if is_json:
        from lbkit.topology.json_text import read_json  # noqa: PLC0415 - one of the two is wanted

        return read_json(text, "the topology")
    from lbkit.topology.yaml_text import read_yaml  # noqa: PLC0415 - one of the two is wanted

    return read_yaml(text, "the topology")


def _blank(data: Any, place: Place) -> Any:
    """A copy without the value at `place`; what an alias repeats is copied, too."""
    if not place:
        return None
    if not isinstance(data, dict):
        return data
    return {key: _blank(each, place[1:]) if key == place[0] else each for key, each in data.items()}


def _in_yaml(text: str, place: Place) -> _Spot:
    import yaml  # noqa: PLC0415 - for YAML

    parser = yaml.CSafeLoader(text)

    def event() -> Any:  # which kind has which fields is PyYAML's secret
        return parser.get_event()

    def skip(first: Any) -> None:
        depth = 0
        while True:
            depth += isinstance(first, yaml.CollectionStartEvent) - isinstance(first, yaml.CollectionEndEvent)
            if depth == 0:
                return
            first = event()

    event()  # the stream's start, and the document's
    event()
    found: Any = event()
    for key in place:
        if isinstance(found, yaml.AliasEvent):
            raise _Unclear(f"{key} is written elsewhere: an alias, *{found.anchor}, leads there")
        if not isinstance(found, yaml.MappingStartEvent):
            raise _Unclear(f"there is no {key}")
        merged = False
        while True:
            name = event()
            if isinstance(name, yaml.MappingEndEvent):
                raise _Unclear(
                    f"{key} is written elsewhere: it is merged by <<" if merged else f"there is no {key}"
                )
            its = event() if isinstance(name, yaml.ScalarEvent) else None
            if its is None:
                skip(name)
                skip(event())
            elif name.value == str(key):
                found = its
                break
            else:
                merged = merged or name.value == "<<"
                skip(its)
    if isinstance(found, yaml.AliasEvent):
        raise _Unclear(f"it is written elsewhere: an alias, *{found.anchor}, leads there")
    if not isinstance(found, yaml.ScalarEvent) or found.start_mark is None or found.end_mark is None:
        raise _Unclear("it is no text")
    if found.anchor is not None or found.tag is not None:
        raise _Unclear("it has an anchor or a tag")
    if found.style not in {None, "", "'", '"'}:
        raise _Unclear("it is a text of several lines")
    return _Spot(found.start_mark.index, found.end_mark.index, found.style or "")


def _in_json(text: str, place: Place, *, number: bool) -> _Spot:
    decoder = json.JSONDecoder()

    def skip(position: int) -> int:
        match = _SPACE.match(text, position)
        return match.end() if match else position

    position = skip(0)
    for key in place:
        if text[position : position + 1] != "{":
            raise _Unclear(f"there is no {key}")
        position = skip(position + 1)
        while text[position : position + 1] != "}":
            name, end = scanstring(text, position + 1, True)
            position = skip(skip(end) + 1)  # the colon
            if name == key:
                break
            position = skip(decoder.raw_decode(text, position)[1])
            if text[position : position + 1] == ",":
                position = skip(position + 1)
        else:
            raise _Unclear(f"there is no {key}")
    found, end = decoder.raw_decode(text, position)
    if not isinstance(found, int if number else str):
        raise _Unclear("it is no whole number" if number else "it is no text")
    return _Spot(position, end, "" if number else '"')
