"""The language as a JSON Schema (2020-12), made of the rooms' models, so that editors complete and check it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from lbkit.base.names import Label
from lbkit.engine.room import Room
from lbkit.topology import register
from lbkit.topology.load import EXTENSION, VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTITY = f"urn:lbkit:topology:{VERSION}"


def json_schema() -> dict[str, Any]:
    """One schema of the whole document. Each room's definitions are named ROOM.Model."""
    sections: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for room in register.rooms():
        section, inner = _section(room)
        sections[room.section] = section
        definitions |= inner
    schema = {
        "$schema": DIALECT,
        "$id": IDENTITY,
        "title": "lbkit topology",
        "description": "Networks, machines, load balancers and DNS of one place, in one file",
        "type": "object",
        "properties": {
            "lbkit": {
                "title": "Version of the language",
                "description": f"{VERSION}, in every document",
                "const": VERSION,
            },
            "name": {
                **TypeAdapter(Label).json_schema(),
                "title": "Name of the topology",
                "description": "What lbkit makes is named by it: keep it short, as bridges are TOPOLOGY.NETWORK in 15 bytes",
            },
            **sections,
        },
        "patternProperties": {f"^{EXTENSION}": {"description": "The writer's own: a place for anchors"}},
        "required": ["lbkit", "name"],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }
    for part in _parts(schema):
        _close(part)
    return schema


def _section(room: Room[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a room's section, and the definitions that it refers to."""
    schema = room.model.model_json_schema(ref_template=f"#/$defs/{room.name}.{{model}}")
    inner = {f"{room.name}.{name}": part for name, part in schema.pop("$defs", {}).items()}
    schema["title"] = room.section.replace("_", " ").capitalize()
    if description := (room.model.__doc__ or "").strip():
        schema["description"] = description
    return schema, inner


def _parts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _close(part: dict[str, Any]) -> None:
    """What pydantic makes of it: a mapping with keys of a form has patternProperties, and any other keys."""
    if part.get("type") == "object" and "patternProperties" in part:
        part.setdefault("additionalProperties", False)
        part.pop("propertyNames", None)
