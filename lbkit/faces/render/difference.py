"""The whole before and after of changes as lines of text: unified diffs of texts, values side by side."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lbkit.engine.change import Change, plain

_ABSENT = object()


def difference(change: Change) -> list[str]:
    """Lines that begin with "+", "-", "@" or a space: what one change makes of each field that it speaks of."""
    before, after = fields(change)
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old == new:
            continue
        if _is_text(old) or _is_text(new):
            lines += _unified(name, _lines(old), _lines(new))
            continue
        if old is not _ABSENT:
            lines.append(f"- {name}: {_shown(old)}")
        if new is not _ABSENT:
            lines.append(f"+ {name}: {_shown(new)}")
    return lines


def before_and_after(changes: Iterable[Change]) -> tuple[str, str]:
    """All changes as two texts, one paragraph for each thing, for tools that compare texts themselves."""
    olds: list[str] = []
    news: list[str] = []
    for change in changes:
        before, after = fields(change)
        if change.have is not None:
            olds += [f"{change.key}:", *_paragraph(before)]
        if change.want is not None:
            news += [f"{change.key}:", *_paragraph(after)]
            if before == after:
                news.append(f"  {change.action}: {change.reason}")
    return "".join(f"{line}\n" for line in olds), "".join(f"{line}\n" for line in news)


def fields(change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after as JSON. What the change does not speak of stands in neither."""
    before: Mapping[str, Any] = plain(change.before) or {}
    after: Mapping[str, Any] = plain(change.after) or {}
    if change.want is not None:
        before = {name: value for name, value in before.items() if name in after}
    return dict(_leaves(before)), dict(_leaves(after))


def _leaves(state: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Values in mappings under the way to them, so that a difference shows no more than what differs."""
    for name, value in state.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _paragraph(state: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, value in sorted(state.items()):
        if _is_text(value):
            lines += [f"  {name}: |", *(f"    {line}" for line in value.splitlines())]
        else:
            lines.append(f"  {name}: {_shown(value)}")
    return lines


def _unified(name: str, old: list[str], new: list[str]) -> list[str]:
    compared = difflib.unified_diff(old, new, fromfile=f"{name} now", tofile=f"{name} then", lineterm="")
    return list(compared)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\n" in value


def _lines(value: object) -> list[str]:
    if value is _ABSENT or value is None:
        return []
    return value.splitlines() if isinstance(value, str) else [_shown(value)]


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
