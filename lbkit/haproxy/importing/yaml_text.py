"""A document as YAML that a person goes on with: blocks for what is large, one line for what is small, and comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Keys = tuple[str, ...]

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./=()-]+)*\Z", re.ASCII)
_LINE = re.compile(r"[A-Za-z_/](?:[ -~]*[!-~])?\Z", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
_WIDTH = 100


def yaml_text(document: Mapping[str, Any], lines: Mapping[Keys, int], file: str, *, head: str = "") -> str:
    """`lines`: the line of `file` that a key comes from, by its path."""
    comments = {path: f"  # {file}:{number}" for path, number in lines.items()}
    body = "\n".join(_mapping(document, "", (), comments))
    return "".join(f"# {line}\n" for line in head.splitlines()) + body + "\n"


def _mapping(data: Mapping[str, Any], indent: str, path: Keys, comments: Mapping[Keys, str]) -> Iterator[str]:
    for key, value in data.items():
        here = (*path, key)
        comment = comments.get(here, "")
        flow = _flow(value)
        short = len(indent) + len(key) + len(flow) + 2 <= _WIDTH and not any(
            len(other) > len(here) and other[: len(here)] == here for other in comments
        )
        if not isinstance(value, dict | list) or not value or (short and _is_small(value)):
            yield f"{indent}{scalar(key)}: {_block(value)}{comment}"
        elif isinstance(value, dict):
            yield f"{indent}{scalar(key)}:{comment}"
            yield from _mapping(value, indent + "  ", here, comments)
        else:
            yield f"{indent}{scalar(key)}:{comment}"
            for each in value:
                yield from _entry(each, indent + "  ")


def _entry(value: Any, indent: str) -> Iterator[str]:
    flow = _flow(value)
    if isinstance(value, dict) and len(indent) + len(flow) > _WIDTH:
        first, *rest = _mapping(value, indent + "  ", (), {})
        yield f"{indent}- {first.strip()}"
        yield from rest
    else:
        yield f"{indent}- {_block(value)}"


def _is_small(value: Any) -> bool:
    """Nothing nested but lists and mappings of a few words; lines of `raw` stand one below the other."""
    if isinstance(value, list):
        return all(not isinstance(each, dict | list) and " " not in str(each) for each in value)
    return all(
        not isinstance(each, dict) and (not isinstance(each, list) or _is_small(each))
        for each in value.values()
    )


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(each) for each in value) + "]"
    return scalar(value)


def _block(value: Any) -> str:
    """Outside of brackets more can stand without quotes."""
    if (
        isinstance(value, str)
        and _LINE.match(value)
        and ": " not in value
        and " #" not in value
        and not value.endswith(":")
    ):
        return value if value.lower() not in _WORDS else scalar(value)
    return _flow(value)


def scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    if re.fullmatch(r"[0-9]+(ms|s|m|h|d)", value) or (re.fullmatch(r"[0-9.]+/[0-9]+", value)):
        return value
    if "'" not in value and "\\" not in value and '"' in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=not value.isprintable())
