"""A machine's place on its networks, where one generation of it can take over from another: the kind "presence".

The state: `driver`; `links`, by network "up"; `older`, the generations that stand beside the newest. It lives within its
machine. It comes last, when all that the machine serves with stands: then what is older is drained, hands over, and goes.
"""

from __future__ import annotations

from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Desired, Key

PRESENCE = "presence"


def presence_key(member: str) -> Key:
    return Key(PRESENCE, member)


def judge_again(want: Desired) -> Verdict:
    networks = ", ".join(want.state["links"])
    return Verdict(
        Action.UPDATE,
        Impact.HITLESS,
        f"the new machine takes over on {networks} once all in it stands; the old one goes",
        (
            "where the old one runs: let its programs finish, newest first",
            f"links of the old one down, of the new one up, and announced: {networks}",
            "look at the new one from its networks",
            "remove the old one",
        ),
    )
