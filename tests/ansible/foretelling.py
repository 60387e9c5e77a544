"""What check mode promises, for every module: it changes nothing, and says what the run then reports.

A test that bears `@pytest.mark.foretells("topology", ...)` has to hold it of each module that it names, by `foretold` or `looked`, or it
fails (conftest.py). Every module is named by one of them (test_documentation.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Result = Mapping[str, Any]

HELD: set[str] = set()
"""Modules that the test that runs now has held it of."""


def foretold(
    module: str, foreseen: Result, came: Result, *, before: object, after: object, parts: tuple[str, ...] = ()
) -> None:
    """`before` and `after` are the state of the world around check mode. `parts`: what of the results has to be the same, beside
    what is the same of any module.
    """
    assert before == after, f"{module}: check mode changed something"
    for part in ("changed", "plan", "diff", *parts):
        assert foreseen.get(part) == came.get(part), f"{module}: check mode foresaw another {part}"
    HELD.add(module)


def looked(module: str, foreseen: Result, came: Result, *, moves: tuple[str, ...] = ()) -> None:
    """Of a module that only looks. `moves`: names of what is another one at each look, such as seconds."""
    apart = ("invocation", *moves)
    assert _without(foreseen, apart) == _without(came, apart), f"{module}: check mode saw something else"
    assert foreseen["changed"] is came["changed"] is False
    HELD.add(module)


def _without(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _without(each, names) for key, each in value.items() if key not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


def named(folder: Path) -> Iterator[str]:
    """The modules that marks of the tests in `folder` name."""
    for file in sorted(folder.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.foretells":
                yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))
