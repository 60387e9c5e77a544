"""From a file to a checked topology: every mistake in it at once, or a Scope that the rooms can work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from lbkit.base.errors import Mistake
from lbkit.base.files import read_given, shown
from lbkit.base.names import Label
from lbkit.base.problems import InvalidDocument, Problem, dotted, near, nearest
from lbkit.base.problems import Path as Place
from lbkit.engine.room import Room
from lbkit.engine.scope import Draft, Scope
from lbkit.topology import register
from lbkit.topology.document import MOST_BYTES, Document, Scalar, refused
from lbkit.topology.mistakes import MOST_PROBLEMS, problems_of, written

VERSION = 1
"""Of the language: what `lbkit: 1` at the top of a document says."""

EXTENSION = "x-"
"""Keys at the top that begin so are the writer's own: a place for anchors."""

MOST_SAID = 500


def load_file(path: Path) -> Scope:
    """Mistake where it cannot be read, InvalidDocument with all that is wrong in it. Reads at most 4 MiB, never waits."""
    content, _ = read_given(path, "the topology", most=MOST_BYTES)
    return load_bytes(content, shown(path), path.absolute().parent)


def load_bytes(content: bytes, file: str, folder: Path) -> Scope:
    """A file's content; the rest as for `load_text`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refused(
            file, line, "text in UTF-8", found=f"byte 0x{content[error.start]:02x}", remedy="save it as UTF-8"
        ) from error
    return load_text(text, file, folder)


def load_text(text: str, file: str, folder: Path) -> Scope:
    """`file` is what to call the text; JSON where that ends in .json, else YAML. `folder` is where its relative paths start."""
    if len(text) > MOST_BYTES:
        raise refused(file, 0, f"a document of at most {MOST_BYTES >> 20} MiB", found="more")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise refused(file, 0, "text that UTF-8 can hold", found=ascii(text[error.start])) from error
    if file.endswith(".json"):
        from lbkit.topology.json_text import read_json  # noqa: PLC0415 - one of the two is wanted

        return check(read_json(text, file), folder)
    from lbkit.topology.yaml_text import read_yaml  # noqa: PLC0415 - one of the two is wanted

    return check(read_yaml(text, file), folder)


def load_data(data: object, folder: Path, file: str = "the topology") -> Scope:
    """A document that is data already. `file` is what to call it, `folder` where its relative paths start."""
    from lbkit.topology.data import read_data  # noqa: PLC0415 - programs hand over data, people files

    return check(read_data(data, file), folder)


def check(document: Document, folder: Path) -> Scope:
    """Validate every section, then let the rooms resolve what is sound; raises InvalidDocument with every mistake."""
    said = list(document.problems)
    rooms = register.rooms()
    draft = Draft("nameless", folder)
    _head(document, rooms, draft, said)
    sections = {room.name: _section(room, document, draft, said) for room in rooms}
    _resolve(rooms, sections, draft)
    said += [problem if problem.where else _located(problem, document) for problem in draft.problems]
    if said:
        raise InvalidDocument(document.file, _in_order(said, document.file))
    return Scope(draft.name, folder, document.file, draft.resolved, draft.book)


def _head(document: Document, rooms: tuple[Room[Any], ...], draft: Draft, said: list[Problem]) -> None:
    """Check what belongs to no room, and note the topology's name."""
    entries = document.root.entries
    sections = {room.section for room in rooms}
    known = {"lbkit", "name", *sections}
    if not any(key in known or nearest(key[:80], known) for key in list(entries)[:MOST_PROBLEMS]):
        # another kind of file by mistake: what is in it is nobody's business here
        raise refused(
            document.file,
            0,
            "a topology",
            found="none of its sections",
            remedy=f"begin with `lbkit: {VERSION}`",
        )

    def say(path: Place, wanted: str, found: str, remedy: str = "") -> None:
        at_key = path and document.root.key_lines.get(str(path[-1]))
        where = document.at(at_key or document.line(path))
        said.append(Problem(path, wanted, found, remedy, where))

    version = entries.get("lbkit")
    if version is None:
        say((), "the key 'lbkit', the language's version", "it is missing", f"begin with `lbkit: {VERSION}`")
    elif not isinstance(version, Scalar) or version.value is True or version.value != VERSION:
        remedy = f"this lbkit reads version {VERSION}; a newer one may be needed"
        say(("lbkit",), f"version {VERSION} of the language", written(version), remedy)
    for key in [key for key in entries if key not in known and not key.startswith(EXTENSION)][:MOST_PROBLEMS]:
        say((key,), "a section that lbkit knows", dotted((key,)), near(key[:80], known))
        # who refers to what stands in it is not wrong as well
        draft.broken |= {(meant,) for meant in nearest(key[:80], sections - set(entries))}
    name = entries.get("name")
    try:
        draft.name = TypeAdapter(Label).validate_python(name.value if isinstance(name, Scalar) else None)
    except ValidationError:
        draft.broken.add(("name",))
        if name is None:
            say((), "the key 'name', the topology's own", "it is missing", "give it one, such as `name: web`")
        else:
            say(("name",), "a name of 1 to 63 of a-z, 0-9 and '-', with no '-' at either end", written(name))


def _section(room: Room[BaseModel], document: Document, draft: Draft, said: list[Problem]) -> BaseModel:
    """The room's section: without the entries that are wrong, where some are, so that the others can be checked on."""
    empty = room.model.model_validate({})
    if room.section not in document.root.entries:
        return empty
    data = document.plain[room.section]
    try:
        return room.model.model_validate(data)
    except ValidationError as error:
        schema = room.model.model_json_schema()
        errors = error.errors(include_url=False, include_input=False)
        found = problems_of(errors, room.section, document, schema)
    known = {problem.path for problem in document.problems}
    said += [problem for problem in found if problem.path not in known]
    broken = {problem.path[:2] for problem in found}
    draft.broken |= broken
    if isinstance(data, Mapping) and (room.section,) not in broken:
        sound = {key: value for key, value in data.items() if (room.section, key) not in broken}
        try:
            return room.model.model_validate(sound)
        except ValidationError:
            pass  # what is left hangs on what is wrong
    draft.broken.add((room.section,))
    return empty


def _resolve(rooms: tuple[Room[Any], ...], sections: Mapping[str, BaseModel], draft: Draft) -> None:
    for room in rooms:
        room.reserve(sections[room.name], draft)
    for room in rooms:
        try:
            draft.resolved[room.name] = room.resolve(sections[room.name], draft)
        except Mistake as error:
            draft.problems.add((room.section,), error.wanted, found=error.found, remedy=error.remedy)
            return  # later rooms look up what this one would have made


def _located(problem: Problem, document: Document) -> Problem:
    """With its line, and with the path as it is written: where `x` stands for `[x]` there is no index."""
    path = problem.path
    if path and path[-1] == 0 and isinstance(document.find(path[:-1]), Scalar):
        path = path[:-1]
    return replace(problem, path=path, where=document.at(document.line(path)))


def _in_order(said: list[Problem], file: str) -> list[Problem]:
    """By line; of very many the first."""

    def place(problem: Problem) -> tuple[int, str]:
        line = problem.where.rpartition(":")[2]
        return (int(line) if line.isdecimal() else 0, dotted(problem.path))

    ordered = sorted(dict.fromkeys(said), key=place)
    if len(ordered) > MOST_SAID:
        left = len(ordered) - MOST_SAID
        return [*ordered[:MOST_SAID], Problem((), f"fewer mistakes: {left} more are not shown", where=file)]
    return ordered
