"""A started machine that is kept ready for a group, and is nobody yet: the kind "spare", `GROUP/NUMBER`."""

from __future__ import annotations

from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Key

SPARE = "spare"


def judge_again(replaced: Key) -> Verdict:
    return Verdict(Action.UPDATE, Impact.NONE, f"{replaced} may use it up: then another one is made")
