"""What libvirt says of a domain's life, in words. The numbers are libvirt's (virDomainState and its reasons)."""

from __future__ import annotations

RUNNING = "running"
PAUSED = "paused"
SHUT_OFF = "shut off"
CRASHED = "crashed"

BY_SOMEBODY = "by somebody"

_STATES = {
    0: "in no state",
    1: RUNNING,
    2: RUNNING,  # "blocked", which Xen says of a guest that waits
    3: PAUSED,
    4: "shutting down",
    5: SHUT_OFF,
    6: CRASHED,
    7: "asleep",
}

_REASONS = {
    1: {9: "it crashed once"},
    3: {
        1: BY_SOMEBODY,
        2: "for a migration",
        3: "to be saved",
        4: "for a dump",
        5: "its disk cannot be read or written",
        6: "its watchdog fired",
        7: "since it was made from a snapshot",
        8: "while it shuts down",
        9: "for a snapshot",
        10: "since it crashed",
        11: "while it starts",
        12: "for a migration",
        13: "since a migration failed",
    },
    4: {1: BY_SOMEBODY},
    5: {
        1: "it shut itself down",
        2: "somebody ended it",
        3: "its QEMU died, or its kernel panicked",
        4: "it went to another host",
        5: "it was saved",
        6: "it could not be started",
        7: "since it was made from a snapshot",
        8: "libvirtd ended it",
    },
    6: {1: "its kernel panicked"},
}


def in_words(state: int, reason: int) -> tuple[str, str]:
    """The state, and why it is so: "" where libvirt does not say, or has nothing to say of a domain that runs."""
    return _STATES.get(state, f"in state {state}"), _REASONS.get(state, {}).get(reason, "")
