"""Whether HAProxy has what a person names: asked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection

from lbkit.base.errors import Failure
from lbkit.base.problems import near


def is_loaded(what: str, name: str, known: Collection[str], where: str) -> None:
    if name not in known:
        raise Failure(
            f"{what} {name} was to be one that HAProxy has loaded",
            found="none of that name",
            where=where,
            remedy=near(name, known) or "its configuration names none",
        )
