"""A backend, or the side of a `listen` section that servers see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lbkit.haproxy.importing import logs
from lbkit.haproxy.importing.balance import balance, persistence
from lbkit.haproxy.importing.binds import Files
from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.checks import health_check
from lbkit.haproxy.importing.fitting import misfit
from lbkit.haproxy.importing.keepalive import keepalive
from lbkit.haproxy.importing.part import Renamed, raw_lines
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.server_tls import server_tls
from lbkit.haproxy.importing.servers import Server, own, servers, shared
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.timeouts import Times
from lbkit.haproxy.importing.values import Names, whole
from lbkit.haproxy.spec.backend import Backend
from lbkit.haproxy.spec.words import RESOLVERS

NOTHING = "no option allbackups"
"""A line that says what is so in any case: lbkit's backends without servers have one at least. They answer 503."""

REDISPATCH = "option redispatch"


@dataclass(slots=True)
class Resolving:
    """Servers by name: `section` is the one that is lbkit's own now, `system` whether any is without one."""

    section: str = ""
    system: bool = False
    prefers_ipv4: set[bool] = field(default_factory=set)


def backend(
    proxy: Proxy,
    renamed: Renamed,
    files: Files,
    times: Times,
    resolving: Resolving,
    report: Report,
    *,
    logged: bool,
) -> dict[str, Any]:
    """`logged`: some line of `global` sends logs elsewhere."""
    data: dict[str, Any] = {}
    for line in proxy.all("mode"):
        proxy.taken.add(line.number)
        if line.word(1) in {"http", "tcp"}:
            report.carried(line, proxy.title, "mode")
        else:
            report.left_out(line, proxy.title, "lbkit's modes are http and tcp")
    data["mode"] = "http" if proxy.mode == "http" else "tcp"
    balance(proxy, data, report)
    keys, unset = times.of(proxy)
    if keys:
        data["timeouts"] = keys
    _tries(proxy, data, unset, report)
    _switches(proxy, data, report)
    data |= keepalive(proxy, "srv", report)
    _forwarded(proxy)
    undone, kept = logs.difference(logs.targets(proxy), logs=logged)
    for line in proxy.all("log"):
        if line not in kept:
            proxy.taken.add(line.number)
            report.carried(line, proxy.title, "logs")
    persistence(proxy, data, report)
    labels = _servers(proxy, data, files, resolving, report)
    raw = [*unset, *undone, *raw_lines(proxy, list(proxy.left()), renamed, report, labels)]
    if not data["servers"] and not raw:
        raw = [NOTHING]
    if raw:
        data["raw"] = raw
    return data


def _servers(proxy: Proxy, data: dict[str, Any], files: Files, resolving: Resolving, report: Report) -> Names:
    lines = proxy.all("server", "server-template", "default-server")
    proxy.taken.update(line.number for line in lines)
    found, wrong = servers(lines)
    seen: set[str] = set()
    for server in found:
        if server.name in seen:  # HAProxy takes it, and warns
            server.name += f" {server.line.number}"
        seen.add(server.name)
    labels = Names.of(server.name for server in found)
    for old, new in labels.changed.items():
        report.note(f"server {proxy.section.name}/{old} is named {new}")
    check = health_check(proxy, found, report)
    if check is not False and check != {"protocol": "tcp"}:
        data["health_check"] = check
    elif check is False:
        data["health_check"] = False
    if found:
        tls = server_tls(found, files, report)
        if tls:
            data["tls"] = tls
        data |= shared(found)
    _resolved(found, resolving, report)
    data["servers"] = []
    for server in found:
        entry = own(server, labels, cookies=isinstance(data.get("cookie"), str | dict))
        if check is not False and not server.checked:
            entry["check"] = False
        data["servers"].append(entry)
    lost: dict[int, list[str]] = {}
    for server in found:
        lost.setdefault(server.line.number, []).extend(server.lost)
    for line in lines:
        if line.number in wrong:
            report.left_out(line, proxy.title, wrong[line.number])
        elif lost.get(line.number):
            report.left_out(line, proxy.title, f"without {'; '.join(dict.fromkeys(lost[line.number]))}")
        else:
            report.carried(line, proxy.title, "servers")
    if data.get("cookie") and any("cookie" not in server.line.words for server in found):
        report.note(f"{proxy.title}: each server has a cookie, by default its name")
    return labels


def _resolved(found: list[Server], resolving: Resolving, report: Report) -> None:
    for server in found:
        section = server.words.get("resolvers")
        if server.where.address is not None:
            if section is not None and section == resolving.section:
                server.words["resolvers"] = RESOLVERS
            continue
        resolving.prefers_ipv4.add(server.words.get("resolve-prefer") == "ipv4")
        if section is None:
            resolving.system = True
            report.note(
                "servers by name without `resolvers` were asked for at the start alone; lbkit's HAProxy asks on"
            )
        elif section == resolving.section:
            server.take("resolvers")
        if section is not None or "init-addr" in server.words:
            server.words.setdefault("init-addr", "last,libc")


def _tries(proxy: Proxy, data: dict[str, Any], unset: list[str], report: Report) -> None:
    """To lbkit, a try goes to another server each time (`option redispatch 1`); without a number HAProxy does so at the last alone."""
    retries = proxy.last("retries")
    if retries is not None:
        value = whole(retries.word(1))
        if value is not None and not misfit(Backend, "retries", value):
            if value != 3:
                data["retries"] = value
            proxy.take("retries")
            report.carried(retries, proxy.title, "retries")
    line = proxy.last(REDISPATCH)
    proxy.take(REDISPATCH)
    if line is None or line.negated:
        data["redispatch"] = False
    elif line.words != ("option", "redispatch", "1"):
        unset.append(" ".join(line.words))
        report.raw(line, proxy.title)
    for each in proxy.all(REDISPATCH):
        report.carried(each, proxy.title, "redispatch")
    on = proxy.last("retry-on")
    if on is not None and not misfit(Backend, "retry_on", _conditions(on)) and proxy.mode == "http":
        data["retry_on"] = _conditions(on)
        proxy.take("retry-on")
        report.carried(on, proxy.title, "retry_on")


def _conditions(line: Line) -> list[str | int]:
    return [whole(word) or word for word in line.words[1:]]


def _switches(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    for keyword, key in (("option allbackups", "all_backups"), ("option abortonclose", "abort_on_close")):
        line = proxy.last(keyword)
        if line is not None:
            proxy.take(keyword)
            report.carried(line, proxy.title, key)
            if not line.negated:
                data[key] = True
    reuse = proxy.last("http-reuse")
    if reuse is not None and proxy.mode == "http" and not misfit(Backend, "http_reuse", reuse.word(1)):
        data["http_reuse"] = reuse.word(1)
        proxy.take("http-reuse")
        report.carried(reuse, proxy.title, "http_reuse")
    full = proxy.last("fullconn")
    value = whole(full.word(1)) if full is not None else None
    if full is not None and value and not misfit(Backend, "full_connections", value):
        data["full_connections"] = value
        proxy.take("fullconn")
        report.carried(full, proxy.title, "full_connections")


def _forwarded(proxy: Proxy) -> None:
    """Plain, and of the section `defaults`: the frontend has it as well, and one of the two is enough."""
    proxy.taken.update(
        line.number
        for line in proxy.inherited
        if line.keyword == "option forwardfor" and len(line.words) == 2
    )
