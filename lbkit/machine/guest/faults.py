"""Errors of one end as JSON, and as errors again at the other."""

from __future__ import annotations

from typing import Any

from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
from lbkit.base.run import CommandFailed, Completed, MissingProgram

_KINDS = {kind.__name__: kind for kind in (Mistake, Failure, Bug)}


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


def from_data(data: Any) -> LbkitError:
    """Whatever came: a guest's words are anyone's."""
    if not isinstance(data, dict):
        return Bug("the guest's program was to say what failed", found=repr(data)[:200])
    error = _made(data.get("kind"), data.get("more"))
    for name in ("wanted", "found", "where", "remedy"):
        setattr(error, name, str(data.get(name, ""))[:_MOST])
    error.args = (str(error),)
    return error


def _made(kind: Any, more: Any) -> LbkitError:
    match more:
        case {"argv": [*argv], "returncode": int(code), "stdout": str(stdout), "stderr": str(stderr)}:
            return CommandFailed(Completed(tuple(map(str, argv)), code, stdout, stderr))
        case {"program": str(program)}:
            return MissingProgram(program)
    return _KINDS.get(str(kind), Failure)("")
