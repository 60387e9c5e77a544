"""A machine's place on its networks, where one generation of it can take over from another: the kind "presence".

The state: `driver`; `links`, by network "up"; `older`, the generations that stand beside the newest; as desired also
`members`, how many machines its group has. It lives within its machine. It comes last, when all that the machine serves with stands: then what is older is drained, hands over, and goes.
"""

from __future__ import annotations

from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.resource import Desired, Key

PRESENCE = "presence"


def presence_key(member: str) -> Key:
    return Key(PRESENCE, member)


def meanwhile(members: int) -> tuple[Impact, str]:
    """Of a hand-over from one that runs. What sends traffic here is not known; that others may take it is."""
    if members == 1:
        return Impact.DISRUPTIVE, "until then nobody answers at its addresses: its group has no other member"
    others = (
        f"the {members - 1} others of its group serve" if members > 2 else "the other one of its group serves"
    )
    said = f"until then {others}, if well, what comes through load balancers or to a virtual address"
    return Impact.HITLESS, f"{said}; at its own addresses nobody answers"


def judge_again(want: Desired, replaced: Change) -> Verdict:
    """Of a machine that is made anew: what served nobody before hands nothing over."""
    networks = ", ".join(want.state["links"])
    reason = f"the new machine takes over on {networks} once all in it stands; the old one goes"
    impact = Impact.NONE
    if replaced.impact is not Impact.NONE:
        impact, words = meanwhile(want.state["members"])
        reason = f"{reason}; {words}"
    return Verdict(
        Action.UPDATE,
        impact,
        reason,
        (
            "where the old one runs: keep traffic of load balancers from it, until the new one has taken over",
            "where the old one runs: let its programs finish, newest first",
            f"links of the old one down, of the new one up, and announced: {networks}",
            "look at the new one from its networks",
            "remove the old one",
        ),
    )
