"""TCP's probes of silent connections."""

from __future__ import annotations

from typing import Any, Literal

from lbkit.haproxy.importing.fitting import misfit
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import milliseconds, whole
from lbkit.haproxy.spec.traffic import Traffic


def keepalive(proxy: Proxy, end: Literal["cli", "srv"], report: Report) -> dict[str, Any]:
    keywords = (f"option {end}tcpka", f"{end}tcpka-cnt", f"{end}tcpka-idle", f"{end}tcpka-intvl")
    option, count, idle, interval = (proxy.last(keyword) for keyword in keywords)
    if option is None or option.negated:
        return {}
    found: dict[str, Any] = {}
    if count is not None:
        found["count"] = whole(count.word(1))
    for key, line in (("idle", idle), ("interval", interval)):
        if line is not None:
            ms = milliseconds(line.word(1), "s")
            found[key] = f"{ms // 1000}s" if ms and not ms % 1000 else None
    value = found or True
    if None in found.values() or misfit(Traffic, "keepalive", value):
        return {}
    for line in proxy.all(*keywords):
        proxy.taken.add(line.number)
        report.carried(line, proxy.title, "keepalive")
    return {"keepalive": value}
