"""What a runtime socket lets one do: `level` of its `stats socket` line (management guide, 9.3)."""

from __future__ import annotations

from lbkit.base.errors import Failure
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.questions import LEVEL


def needs_admin(runtime: Runtime, where: str) -> None:
    """Failure where commands that change something would be refused: a plan that cannot be carried out is none."""
    level = runtime.read(LEVEL)
    if level != "admin":
        raise Failure(
            "a runtime socket that may change something was wanted",
            found=f"level {level}",
            where=where,
            remedy="write `level admin` at the end of its `stats socket` line, or name another socket",
        )
