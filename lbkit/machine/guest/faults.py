"""Errors of one end as JSON, and as errors again at the other."""

from __future__ import annotations

from typing import Any

from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
from lbkit.base.run import CommandFailed, Completed, MissingProgram

_KINDS = {kind.__name__ for kind in (Mistake, Failure, Bug)}
_GRAVER = {"Bug": "a bug", "Mistake": "a mistake"}

_MOST = 20_000  # characters of one field: a check's output is one


def as_data(error: LbkitError) -> dict[str, Any]:
    """Its fields, with the nearest of the kinds that both ends know."""
    data: dict[str, Any] = {
        "kind": next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS),
        "wanted": error.wanted,
        "found": error.found,
        "where": error.where,
        "remedy": error.remedy,
    }
    if isinstance(error, CommandFailed):
        done = error.completed
        data["more"] = {
            "argv": list(done.argv),
            "returncode": done.returncode,
            "stdout": done.stdout,
            "stderr": done.stderr,
        }
    elif isinstance(error, MissingProgram):
        data["more"] = {"program": error.program}
    return data


def from_data(data: Any) -> Failure:
    """Whatever came: a guest's words are anyone's. What it takes for a bug or a mistake is none of lbkit's here, nor of
    whoever runs it: a Failure that says so.
    """
    if not isinstance(data, dict):
        return Failure("the guest's program was to say what failed", found=repr(data)[:200])
    error = _made(data.get("more"))
    for name in ("wanted", "found", "where", "remedy"):
        setattr(error, name, str(data.get(name, ""))[:_MOST])
    graver = _GRAVER.get(str(data.get("kind")))
    if graver is not None:
        error.found = f"{graver}, it says: {': '.join(filter(None, (error.wanted, error.found)))}"
    if graver is not None or not error.wanted:
        error.wanted = "the guest's program was to do as it was asked"
    error.args = (str(error),)
    return error


def _made(more: Any) -> Failure:
    match more:
        case {"argv": [*argv], "returncode": int(code), "stdout": str(stdout), "stderr": str(stderr)}:
            return CommandFailed(Completed(tuple(map(str, argv)), code, stdout, stderr))
        case {"program": str(program)}:
            return MissingProgram(program)
    return Failure("")
