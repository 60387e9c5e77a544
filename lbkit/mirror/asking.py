"""Ask a mirror's keeper, over a connected socket to its control (keeper/control.py says what may be asked)."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
from lbkit.mirror.talk.lines import Closed, Lines

SOCKET = "control.sock"
"""In the folder of the keeper's service."""

SILENCE = 60.0
"""Seconds without a line until a keeper is given up: it says something every half second while it works."""

_LONGEST = 16 << 20  # bytes of one line


class KeeperFailed(Failure):
    """The keeper could not do what was asked, in its own words."""


class KeeperRefused(Mistake):
    """What was asked can't be meant, in the keeper's own words."""


def ask(
    connection: socket.socket, request: Mapping[str, Any], *, silence: float = SILENCE
) -> Iterator[dict[str, Any]]:
    """All that it says, the last one with "end". KeeperFailed, KeeperRefused with the keeper's words; Closed where it is not there any more.

    `silence`: seconds. Several may be asked one after the other on the same connection. Who stops reading in the middle is to close it.
    """
    connection.settimeout(silence)
    lines = Lines(connection, _LONGEST)
    lines.say(dict(request))
    while (said := lines.take()) is not None:
        if "end" not in said:
            yield said
            continue
        if said["end"] != "done":
            raise _error(said)
        yield said
        return
    raise Closed(
        "the keeper was to answer to the end",
        found="it closed the connection",
        remedy="it may have ended: ask its status; what was begun is told by its log",
    )


def answer(connection: socket.socket, request: Mapping[str, Any]) -> dict[str, Any]:
    """The last line alone. Raises as `ask`."""
    last: dict[str, Any] = {}
    for said in ask(connection, request):
        last = said
    return last


def _error(said: Mapping[str, Any]) -> LbkitError:
    found = said.get("error")
    fields = (
        found
        if isinstance(found, dict)
        else {"wanted": "the keeper was to say why not", "found": str(said)[:200]}
    )
    words = {name: str(fields.get(name, "")) for name in ("wanted", "found", "where", "remedy")}
    wanted = words.pop("wanted")
    match fields.get("kind"):
        case "mistake":
            return KeeperRefused(wanted, **words)
        case "bug":
            return Bug(wanted, **words)
    return KeeperFailed(wanted, **words)
