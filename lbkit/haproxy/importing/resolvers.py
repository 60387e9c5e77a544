"""The section `resolvers` that becomes lbkit's own: the first that the language can say."""

from __future__ import annotations

from typing import Any

from lbkit.haproxy.importing.cfg import Cfg, Section
from lbkit.haproxy.importing.fitting import misfit_of
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.values import duration, milliseconds, place, whole
from lbkit.haproxy.spec.names import Resolvers

_HOLD = {
    "nx": "missing",
    "refused": "refused",
    "timeout": "timeout",
    "other": "other",
    "obsolete": "obsolete",
}
_USUAL = {"payload": 512, "retries": 3, "interval": "1s", "timeout": "1s"}
"""HAProxy's own (configuration manual, 5.3.2). lbkit's `payload` is another."""


def resolvers(cfg: Cfg, report: Report) -> tuple[str, dict[str, Any]]:
    """Its name, and the key; "" and {} where there is none."""
    for section in cfg.sections:
        data = _data(section) if section.kind == "resolvers" else None
        if data is not None:
            for line in section.lines:
                report.carried(line, section.title, "resolvers")
            return section.name, data
    return "", {}


def _data(section: Section) -> dict[str, Any] | None:
    found: dict[str, Any] = dict(_USUAL)
    hold: dict[str, Any] = {}
    servers: list[str] = []
    for line in section.lines:
        words = line.words
        if line.variables:
            return None
        if words == ("parse-resolv-conf",):
            found["nameservers"] = "system"
        elif words[0] == "nameserver" and len(words) == 3:
            where = place(words[2], port=False)
            if where is None or where.address is None or where.last is not None:
                return None
            host = f"[{where.host}]" if ":" in where.host else where.host
            servers.append(f"{host}:{where.port or 53}")
        elif words[0] == "accepted_payload_size" and len(words) == 2:
            found["payload"] = whole(words[1])
        elif words[0] == "resolve_retries" and len(words) == 2:
            found["retries"] = whole(words[1])
        elif words[0] == "timeout" and len(words) == 3 and words[1] in {"resolve", "retry"}:
            ms = milliseconds(words[2])
            found["interval" if words[1] == "resolve" else "timeout"] = duration(ms) if ms else None
        elif words[0] == "hold" and len(words) == 3 and words[1] in _HOLD:
            ms = milliseconds(words[2])
            hold[_HOLD[words[1]]] = duration(ms) if ms else None
        elif not (words[0] == "hold" and words[1:2] == ("valid",)):  # it has none of that sense any more
            return None
    if servers and "nameservers" in found:
        return None
    if servers:
        found["nameservers"] = servers
    if hold:
        found["hold"] = hold
    return None if misfit_of(Resolvers, found) else found
