"""What lbkit itself last did to a server, out of the journal's records. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_MOST_WORDS = 200  # characters of what was executed


def last_change(
    records: Iterable[Mapping[str, Any]], balancer: str, backend: str, server: str, member: str | None
) -> tuple[str, str] | None:
    """What was done, with its time, and the commands: of a HAProxy whose steps name the server, of its hold, or of the machine
    that it is. None where lbkit never touched it.
    """
    name = re.compile(rf"(?<![\w-]){re.escape(backend)}/{re.escape(server)}(?![\w-])")
    found: tuple[str, str] | None = None
    steps: dict[tuple[Any, Any], list[str]] = {}
    for record in records:
        key = record.get("kind"), record.get("name")
        event = record.get("event")
        if event == "begin":
            steps[key] = []
        elif event == "step":
            lines = record.get("lines")
            steps.setdefault(key, []).extend(line for line in lines or () if name.search(str(line)))
        elif event == "done" and key[0] == "haproxy" and str(key[1]).endswith(f"/{balancer}"):
            done = steps.pop(key, [])
            whole = f"{record.get('reason')} {record.get('executed')}"
            if done or name.search(whole) or record.get("action") == "create":
                found = _told(record, "; ".join(done) or str(record.get("executed", "")))
        elif event == "done" and member is not None and _is_of(key, member):
            found = _told(record, str(record.get("executed", "")))
        elif event in {"hold", "release"} and record.get("path") == f"{balancer}/{backend}/{server}":
            found = f"{record.get('time', '')}: {event}", str(record.get("reason", ""))
    return found


def _is_of(key: tuple[Any, Any], member: str) -> bool:
    return key == ("machine", member) or (key[0] == "service" and str(key[1]).startswith(f"{member}/"))


def _told(record: Mapping[str, Any], executed: str) -> tuple[str, str]:
    head = f"{record.get('time', '')}: {record.get('action')} {record.get('kind')} {record.get('name')}"
    words = executed if len(executed) <= _MOST_WORDS else executed[:_MOST_WORDS] + "..."
    reason = str(record.get("reason", ""))
    return f"{head} ({reason})" if reason else head, words
