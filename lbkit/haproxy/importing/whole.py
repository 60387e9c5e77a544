"""From the text of a haproxy.cfg to a whole topology, and what became of each line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.haproxy.importing.backends import Resolving, backend
from lbkit.haproxy.importing.binds import Files, binds
from lbkit.haproxy.importing.cfg import Cfg, Line, Section, parse
from lbkit.haproxy.importing.defaults import hoisted, shared
from lbkit.haproxy.importing.fitting import misfit_as_raw, misfit_of
from lbkit.haproxy.importing.frontends import frontend
from lbkit.haproxy.importing.part import Renamed
from lbkit.haproxy.importing.process import Global, global_
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.resolvers import resolvers
from lbkit.haproxy.importing.settings import Proxy, proxies, with_defaults
from lbkit.haproxy.importing.site import site
from lbkit.haproxy.importing.timeouts import times
from lbkit.haproxy.importing.values import Names
from lbkit.haproxy.spec.raw import RawHead
from lbkit.haproxy.spec.words import PEERS

_INSTEAD = {
    "peers": "`peers: true` makes one of the load balancer's own machines",
    "program": "lbkit's machines run programs: `machines.NAME.run`",
    "log-forward": "lbkit has no such section: another program can pass logs on",
    "crt-store": "`certificates` of the load balancer have names",
    "log-profile": "`log_format` of each frontend says what a line is",
    "traces": "traces can be set at the runtime socket",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """`document` as the loader takes it; `lines`: where its parts come from, by their paths."""

    document: dict[str, Any]
    report: Report
    lines: dict[tuple[str, ...], int]


def imported(text: str, *, name: str, machines: str = "lb", file: str = "haproxy.cfg") -> Imported:
    """Mistake where nothing in it listens. `machines`: the group that HAProxy shall run on."""
    cfg, report = parse(text), Report()
    _strays(cfg, report)
    disabled = _disabled(cfg, report)
    sides = [proxy for proxy in proxies(cfg) if proxy.section not in disabled]
    fronts = _listening(sides, report)
    listening = {proxy.section.name for proxy in fronts}
    backs = [proxy for proxy in sides if _serves(proxy, sides, listening)]
    if not fronts:
        raise Mistake(
            "a configuration with a frontend that listens was to be imported",
            found="none with a `bind` that lbkit has" if cfg.sections else "no section",
            where=file,
        )
    renamed = Renamed(
        Names.of(proxy.section.name for proxy in backs),
        Names.of(proxy.section.name for proxy in fronts),
        _tables(cfg),
    )
    for kind, names in (("frontend", renamed.frontends), ("backend", renamed.backends)):
        for old, new in names.changed.items():
            report.note(f"{kind} {old} is named {new}")
    balancer, lines = _balancer(cfg, fronts, backs, renamed, report, machines)
    networks, group = site(balancer, report)
    document = {
        "lbkit": 1,
        "name": name,
        "networks": networks,
        "machines": {machines: group},
        "load_balancers": {name: balancer},
    }
    return Imported(
        document, report, {("load_balancers", name, *path): number for path, number in lines.items()}
    )


def _balancer(
    cfg: Cfg, fronts: list[Proxy], backs: list[Proxy], renamed: Renamed, report: Report, machines: str
) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    process = global_([section for section in cfg.sections if section.kind == "global"], renamed, report)
    raw_defaults = shared(cfg, [*fronts, *backs], renamed, report)
    for proxy in (*fronts, *backs):
        for line in proxy.overridden():
            proxy.taken.add(line.number)
            report.carried(line, proxy.title, "a later line counts")
    found_times = times([*fronts, *backs], report)
    files = Files(process)
    resolving = Resolving()
    resolving.section, asked = resolvers(cfg, report)
    data: dict[str, Any] = {"machines": machines, **process.data}
    lines = dict(process.lines)
    frontends, backends = {}, {}
    modes = {proxy.section.name: "http" if proxy.mode == "http" else "tcp" for proxy in backs}
    for proxy in fronts:
        label = renamed.frontends[proxy.section.name]
        frontends[label] = frontend(proxy, modes, renamed, files, found_times, report, logged=process.logs)
        lines["frontends", label] = proxy.section.head.number
    for proxy in backs:
        label = renamed.backends[proxy.section.name]
        backends[label] = backend(proxy, renamed, files, found_times, resolving, report, logged=process.logs)
        lines["backends", label] = proxy.section.head.number
    data["timeouts"] = found_times.data
    raw_defaults = [*found_times.unset, *hoisted(frontends, backends), *raw_defaults]
    for part in frontends.values():
        if "backend" not in part and "raw" not in part:
            tcp = part.get("mode") == "tcp"
            part["raw"] = ["tcp-request content reject" if tcp else "http-request deny deny_status 503"]
    if raw_defaults:
        data["raw_defaults"] = raw_defaults
    sections = _sections(cfg, resolving.section, report)
    if sections:
        data["raw_sections"] = sections
    if renamed.tables:
        data["peers"] = True
    if asked or resolving.system:
        data["resolvers"] = asked or {"nameservers": "system"}
        if resolving.prefers_ipv4 != {True}:
            data["resolvers"]["prefer"] = "ipv6"
    if files.certificates:
        data["certificates"] = files.certificates
    if files.authorities:
        data["authorities"] = files.authorities
    return {**data, "frontends": frontends, "backends": backends}, lines


def _strays(cfg: Cfg, report: Report) -> None:
    for line in cfg.stray:
        if line.problem:
            why = f"HAProxy wants {line.problem}"
        elif line.word(0).startswith("."):
            why = "lbkit reads no `.if`: write down what holds, and import that"
        else:
            why = "it stands between .if and .endif, or before any section"
        report.left_out(line, "", why)


def _disabled(cfg: Cfg, report: Report) -> list[Section]:
    found = []
    for section, base in with_defaults(cfg):
        lines = (*(base.lines if base else ()), *section.lines)
        switch = [line for line in lines if line.word(0) in {"disabled", "enabled"}]
        if switch and switch[-1].word(0) == "disabled":
            found.append(section)
            for line in section.lines:
                report.left_out(line, section.title, "the section is disabled")
        if section.given:
            report.left_out(section.head, section.title, "HAProxy takes addresses in lines `bind` alone")
    return found


def _listening(sides: Iterable[Proxy], report: Report) -> list[Proxy]:
    found = []
    for proxy in sides:
        if proxy.side != "frontend":
            continue
        if binds(proxy, Files(Global()), Report()):
            found.append(proxy)
            continue
        for line in proxy.own:
            report.left_out(line, proxy.title, "the section listens nowhere that lbkit's frontends can")
    return found


def _serves(proxy: Proxy, sides: Sequence[Proxy], listening: Collection[str]) -> bool:
    """Of a `listen` section without servers, such as one for statistics, the frontend alone is made.

    Of one that no longer listens nothing is made, unless others lead to it.
    """
    if proxy.side != "backend" or proxy.section.kind == "backend":
        return proxy.side == "backend"
    name = proxy.section.name
    led = any(
        name in line.words[1:2] for side in sides for line in side.all("use_backend", "default_backend")
    )
    needs = ("server", "server-template", "dispatch", "stick", "option transparent")
    return led or (name in listening and any(line.keyword in needs for line in proxy.own))


def _tables(cfg: Cfg) -> dict[str, str]:
    """Sections `peers` without tables of their own: lbkit has one itself."""
    return {
        section.name: PEERS
        for section in cfg.sections
        if section.kind == "peers" and not any(line.word(0) == "table" for line in section.lines)
    }


def _sections(cfg: Cfg, resolvers_name: str, report: Report) -> dict[str, list[str]]:
    """Those of other kinds, as they are."""
    found: dict[str, list[str]] = {}
    for section in cfg.sections:
        if section.kind in {"global", "defaults", "frontend", "backend", "listen"}:
            continue
        if section.kind == "resolvers" and section.name == resolvers_name:
            continue
        why = ""
        if section.kind in _INSTEAD and not (section.kind == "peers" and _has_tables(section)):
            why = _INSTEAD[section.kind]
        elif misfit_of(RawHead, section.title):
            why = f"`raw_sections` takes {misfit_of(RawHead, section.title)}"
        lines = []
        for line in section.lines:
            text = _as_it_is(line)
            wrong = why or misfit_as_raw("section", text)
            if wrong:
                report.left_out(line, section.title, wrong)
            else:
                report.raw(line, section.title)
                lines.append(text)
        if why:
            report.left_out(section.head, section.title, why)
        else:
            found[section.title] = lines
    return found


def _has_tables(section: Section) -> bool:
    return any(line.word(0) == "table" for line in section.lines)


def _as_it_is(line: Line) -> str:
    return Renamed(Names(), Names(), {}).line(line)
