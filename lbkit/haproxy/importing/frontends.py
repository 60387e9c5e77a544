"""A frontend, or the side of a `listen` section that clients see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbkit.haproxy.importing import logs, rules
from lbkit.haproxy.importing.binds import Files, binds
from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.fitting import misfit
from lbkit.haproxy.importing.keepalive import keepalive
from lbkit.haproxy.importing.part import Renamed, raw_lines
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.timeouts import Times
from lbkit.haproxy.importing.values import whole
from lbkit.haproxy.spec.frontend import Frontend

_FORMATS = ("option httplog", "option tcplog", "option httpslog", "log-format")


def frontend(
    proxy: Proxy,
    modes: Mapping[str, str],
    renamed: Renamed,
    files: Files,
    times: Times,
    report: Report,
    *,
    logged: bool,
) -> dict[str, Any]:
    """`modes`: of all backends. `logged`: some line of `global` sends logs elsewhere."""
    data: dict[str, Any] = {"bind": binds(proxy, files, report)}
    proxy.take("bind", "mode")
    _mode(proxy, data, report)
    keys, unset = times.of(proxy)
    leads = _leads(proxy, data, modes, renamed, report)
    _number(proxy, "maxconn", "maxconn", data, report)
    if keys:
        data["timeouts"] = keys
    _forwarded(proxy, data, report)
    _format(proxy, data, report)
    data |= keepalive(proxy, "cli", report)
    _number(proxy, "rate-limit", "connections_per_second", data, report)
    if proxy.mode == "http":
        _compression(proxy, data, report)
    if proxy.all("option idle-close-on-response"):
        proxy.take("option idle-close-on-response")
    elif proxy.mode == "http":
        report.note("http frontends have `option idle-close-on-response`: a reload cuts no request off")
    undone, kept = logs.difference(logs.targets(proxy), logs=logged)
    _told(proxy, ("log",), "logs", report, but=kept)
    _null(proxy, unset, report)
    exact = rules.exact(proxy)
    data |= rules.data_of(exact)
    gone = [rule.line for rule in exact]
    for line in (*gone, *rules.unused(proxy, gone)):
        proxy.taken.add(line.number)
        report.carried(line, proxy.title, "allow, deny, headers")
    raw = [*unset, *undone, *raw_lines(proxy, list(proxy.left()), renamed, report), *leads]
    if raw:
        data["raw"] = raw
    return data


def _mode(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    for line in proxy.all("mode"):
        if line.word(1) in {"http", "tcp"}:
            report.carried(line, proxy.title, "mode")
        else:
            report.left_out(line, proxy.title, "lbkit's modes are http and tcp")
    if proxy.mode != "http":
        data["mode"] = "tcp"


def _leads(
    proxy: Proxy, data: dict[str, Any], modes: Mapping[str, str], renamed: Renamed, report: Report
) -> list[str]:
    """Lines of `raw` for a backend of another mode: HAProxy makes http of a connection of tcp mode, no key does."""
    name = proxy.section.name if proxy.section.kind == "listen" and proxy.section.name in modes else ""
    line = proxy.last("default_backend")
    proxy.take("default_backend")
    if line is not None and (line.variables or line.word(1) not in modes):
        report.left_out(line, proxy.title, "no backend of this file has that name")
    elif line is not None:
        name = line.word(1)
        report.carried(line, proxy.title, "backend")
    if name and modes[name] != ("http" if proxy.mode == "http" else "tcp"):
        return [f"use_backend {renamed.backends[name]}"]
    if name:
        data["backend"] = renamed.backends[name]
    return []


def _number(proxy: Proxy, keyword: str, key: str, data: dict[str, Any], report: Report) -> None:
    line = proxy.last(keyword)
    value = whole(line.words[-1]) if line is not None else None
    if line is not None and value and not misfit(Frontend, key, value):
        data[key] = value
        _told(proxy, (keyword,), key, report)


def _forwarded(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    line = proxy.last("option forwardfor")
    if proxy.mode != "http":
        return
    if line is not None and len(line.words) == 2 and not line.negated:
        _told(proxy, ("option forwardfor",), "forwarded_for", report)
    else:
        data["forwarded_for"] = False


def _format(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    line = proxy.last(*_FORMATS)
    if line is None:
        report.note(
            f"a line for each request is written as by `option {'httplog' if proxy.mode == 'http' else 'tcplog'}`, where "
            "targets of the log take lines of level info"
        )
        return
    key = None
    if line.words == ("option", "httplog") and proxy.mode == "http":
        key = "standard"
    elif line.words == ("option", "httplog", "clf") and proxy.mode == "http":
        key = "clf"
    elif line.words == ("option", "tcplog") and proxy.mode == "tcp":
        key = "standard"
    elif line.keyword == "log-format" and len(line.words) == 2 and "%" in line.word(1) and not line.variables:
        key = line.word(1)
    if key is None or misfit(Frontend, "log_format", key):
        others = [each for each in proxy.all(*_FORMATS) if each is not line]
        proxy.taken.update(each.number for each in others)
        return
    if key != "standard":
        data["log_format"] = key
    _told(proxy, _FORMATS, "log_format", report)


def _compression(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    lines = [line for line in proxy.own if line.words[0] == "compression"]
    said = {line.word(1): line.words[2:] for line in lines}
    if len(lines) != 2 or set(said) != {"algo", "type"} or any(line.variables for line in lines):
        return
    value = {"algorithms": list(said["algo"]), "types": list(said["type"])}
    if not misfit(Frontend, "compression", value):
        data["compression"] = value
        _told(proxy, ("compression",), "compression", report)


def _null(proxy: Proxy, unset: list[str], report: Report) -> None:
    line = proxy.last("option dontlognull")
    if line is None or line.negated:
        unset.append("no option dontlognull")
    _told(proxy, ("option dontlognull",), "", report)


def _told(
    proxy: Proxy, keywords: tuple[str, ...], key: str, report: Report, but: list[Line] | None = None
) -> None:
    """These lines are said by `key`; but for some."""
    kept = {line.number for line in but or ()}
    for line in proxy.all(*keywords):
        if line.number not in kept:
            proxy.taken.add(line.number)
            report.carried(line, proxy.title, key)
