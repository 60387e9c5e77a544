"""What pydantic found, in a person's words: where it stands in the document, what belongs there, what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import ErrorDetails

from lbkit.base.problems import Path, Problem, dotted, near
from lbkit.topology.document import Document, List, Node, Scalar, Table

MOST_PROBLEMS = 200  # of one section: who made more mends the first ones first

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "none_required": "nothing",
}
"""Errors that say only that a value is of another kind."""

_BOUNDS = {
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "text of the form {pattern}",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """One error, at its place. `fork` is where the type offers alternatives, and this error is of one of them."""

    kind: str
    problem: Problem
    fork: Path | None

    @property
    def of_kind(self) -> bool:
        """Whether it says no more than that the value is of another kind."""
        return self.kind in _KINDS or self.kind in {"literal_error", "enum", "value_error"}


def problems_of(
    errors: Sequence[ErrorDetails], section: str, document: Document, schema: Mapping[str, Any]
) -> list[Problem]:
    """The errors of one section as problems, each with its line. `schema` is the section's JSON Schema."""
    found = [_found(error, section, document, schema) for error in errors[:MOST_PROBLEMS]]
    places = [one.problem.path for one in found if one.kind != "too_short"]
    found = [
        one  # an entry that is wrong is not counted: that too few are left is no mistake of its own
        for one in found
        if one.kind != "too_short"
        or not any(place[: len(one.problem.path)] == one.problem.path for place in places)
    ]
    said = [one.problem for one in _best_alternatives(found)]
    if (left := len(errors) - MOST_PROBLEMS) > 0:
        more = Problem((section,), f"fewer mistakes: about {left} more of this section are not shown")
        said.append(_at(more, document, document.line((section,))))
    return said


def _found(error: ErrorDetails, section: str, document: Document, schema: Mapping[str, Any]) -> _Found:
    path, fork, rest = _place((section, *error["loc"]), document)
    kind = error["type"]
    context = error.get("ctx", {})
    node = document.find(path)
    line = document.line(path)
    if kind == "missing" and rest:
        key = str(rest[-1])
        remedy = str(_property(schema, path[1:], key).get("description", ""))
        problem = Problem(path, f"the key {key!r}", "it is missing", remedy)
        return _Found(kind, _at(problem, document, line), fork)
    if kind == "extra_forbidden":
        known = _known_keys(schema, path[1:-1])
        problem = Problem(
            path, "a key that means something here", dotted(path[-1:]), near(str(path[-1])[:80], known)
        )
        return _Found(kind, _at(problem, document, document.key_line(path)), fork)
    if "[key]" in rest:
        problem = Problem(path, _wanted(error), repr(str(path[-1])[:80]))
        return _Found(kind, _at(problem, document, document.key_line(path)), fork)
    found, remedy = written(node), ""
    if kind == "too_long":
        found = f"{context.get('actual_length') or 'more'}"
    elif kind == "value_error" and not isinstance(node, Scalar):
        found = ""
    if kind in {"literal_error", "enum"} and isinstance(node, Scalar):
        remedy = near(node.text[:80], re.findall(r"'([^']*)'", str(context.get("expected"))))
    elif kind == "string_type" and isinstance(node, Scalar) and not isinstance(node.value, str | None):
        remedy = f"put it in quotes: '{node.text}'"
    return _Found(kind, _at(Problem(path, _wanted(error), found, remedy), document, line), fork)


def _at(problem: Problem, document: Document, line: int) -> Problem:
    return replace(problem, where=document.at(line))


def _place(loc: Sequence[str | int], document: Document) -> tuple[Path, Path | None, Sequence[str | int]]:
    """How far `loc` goes in the document; where it took one of several alternatives; what of it is no place there.

    pydantic writes into a location which alternative of a type it tried; in the document there is no such step.
    """
    path: Path = ()
    fork: Path | None = None
    rest: list[str | int] = []
    for position, part in enumerate(loc):
        node = document.find((*path, part))
        if node is not None and not (isinstance(document.find(path), Scalar) and part == 0):
            path = (*path, part)
            continue
        rest.append(part)
        if isinstance(part, str) and position < len(loc) - (part == "[key]"):
            fork = path
    return path, fork, rest


def _best_alternatives(found: list[_Found]) -> list[_Found]:
    """Where a value fits none of several kinds: what is wrong with the kind that was meant, or all kinds in one."""
    result: list[_Found] = []
    forks: dict[Path, list[_Found]] = {}
    for one in found:
        if one.fork is None or (not one.of_kind and one.problem.path == one.fork):
            result.append(one)
        else:
            forks.setdefault(one.fork, []).append(one)
    for fork, tried in forks.items():
        meant = [one for one in tried if one.problem.path != fork or not one.of_kind]
        if meant:
            result += meant
            continue
        wanted = ", or ".join(dict.fromkeys(one.problem.wanted for one in tried))
        remedy = next((one.problem.remedy for one in tried if one.problem.remedy), "")
        result.append(replace(tried[0], problem=replace(tried[0].problem, wanted=wanted, remedy=remedy)))
    return result


def _wanted(error: ErrorDetails) -> str:
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _KINDS:
        return _KINDS[kind]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format_map(context)
    if kind in {"literal_error", "enum"}:
        expected = str(context["expected"]).replace("False", "false").replace("True", "true")
        return f"one of {expected}" if " or " in expected else expected
    if kind in {"too_short", "too_long"}:
        bound, count = (
            ("least", context["min_length"]) if kind == "too_short" else ("most", context["max_length"])
        )
        return f"at {bound} {count} {'entry' if count == 1 else 'entries'}"
    if kind == "string_too_short":
        return (
            f"text of at least {context['min_length']} characters"
            if context["min_length"] > 1
            else "text, not nothing"
        )
    if kind == "string_too_long":
        return f"text of at most {context['max_length']} characters"
    if kind == "union_tag_not_found":
        return f"the key {context['discriminator']}"
    if kind == "union_tag_invalid":
        return f"{context['discriminator']} to be one of {context['expected_tags']}"
    return error["msg"]


def written(node: Node | None) -> str:
    """How a value stands in the document, in few words."""
    if isinstance(node, List):
        return "a list" if node.items else "an empty list"
    if isinstance(node, Table):
        return "a mapping" if node.entries else "an empty mapping"
    if node is None or node.value is None:
        return "nothing"
    if not isinstance(node.value, str):
        return node.text[:80]
    return repr(node.text) if len(node.text) <= 80 else f"{node.text[:60]!r} and more"


def _known_keys(schema: Mapping[str, Any], path: Path) -> set[str]:
    return {key for part in _schemas(schema, path) for key in part.get("properties", ())}


def _property(schema: Mapping[str, Any], path: Path, key: str) -> Mapping[str, Any]:
    for part in _schemas(schema, path):
        if key in part.get("properties", ()):
            found: Mapping[str, Any] = part["properties"][key]
            return found
    return {}


def _schemas(schema: Mapping[str, Any], path: Path) -> list[Mapping[str, Any]]:
    """Every part of the JSON Schema that may speak of what is at `path`."""
    parts = _alternatives(schema, schema)
    for step in path:
        inner: list[Mapping[str, Any]] = []
        for part in parts:
            properties = part.get("properties", {})
            if str(step) in properties:
                inner.append(properties[str(step)])
                continue
            inner += [
                part[key] for key in ("additionalProperties", "items") if isinstance(part.get(key), dict)
            ]
            inner += part.get("patternProperties", {}).values()
        parts = [one for part in inner for one in _alternatives(part, schema)]
    return parts


def _alternatives(part: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "$ref" in part:
        return _alternatives(schema["$defs"][part["$ref"].rsplit("/", 1)[-1]], schema)
    inner = [*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("allOf", ())]
    return [one for alternative in inner for one in _alternatives(alternative, schema)] or [part]
