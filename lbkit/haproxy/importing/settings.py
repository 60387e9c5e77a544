"""Which lines hold for a proxy: its own, after those of the section `defaults` that it begins from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lbkit.haproxy.importing.cfg import Cfg, Line, Section

Side = Literal["frontend", "backend"]

_ONCE = frozenset(
    {
        *(
            "balance",
            "cookie",
            "default_backend",
            "fullconn",
            "hash-balance-factor",
            "hash-type",
            "http-reuse",
        ),
        *("log-format", "maxconn", "mode", "rate-limit", "retries", "retry-on", "stick-table"),
        *("option dontlognull", "option forwardfor", "option httpchk", "option redispatch"),
        *(
            f"timeout {name}"
            for name in (
                *(
                    "check",
                    "client",
                    "client-fin",
                    "connect",
                    "http-keep-alive",
                    "http-request",
                    "queue",
                    "server",
                ),
                *("server-fin", "tarpit", "tunnel"),
            )
        ),
    }
)
"""Of these the last line counts alone."""

_OF_FRONTENDS = frozenset(
    {
        *("backlog", "bind", "capture", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "declare"),
        *("default_backend", "error-log-format", "log-format", "log-format-sd", "maxconn", "monitor"),
        *("monitor-uri", "rate-limit", "unique-id-format", "unique-id-header", "use_backend"),
        *("timeout client", "timeout client-fin", "timeout http-keep-alive", "timeout http-request"),
        *(
            f"option {name}"
            for name in (
                *("accept-invalid-http-request", "accept-unsafe-violations-in-http-request", "clitcpka"),
                *("contstats", "disable-h2-upgrade", "dontlog-normal", "dontlognull", "forwarded-for"),
                *("h1-case-adjust-bogus-client", "http-ignore-probes", "http-use-proxy-header", "httplog"),
                *("httpslog", "idle-close-on-response", "log-separate-errors", "logasap", "socket-stats"),
                *("tcp-smart-accept", "tcplog"),
            )
        ),
    }
)
_OF_BACKENDS = frozenset(
    {
        *("balance", "cookie", "default-server", "dispatch", "dynamic-cookie-key", "external-check"),
        *("force-persist", "fullconn", "hash-balance-factor", "hash-preserve-affinity", "hash-type"),
        *(
            "http-check",
            "http-reuse",
            "http-send-name-header",
            "ignore-persist",
            "load-server-state-from-file",
        ),
        *("max-keep-alive-queue", "max-session-srv-conns", "persist", "queue-limit", "retries", "retry-on"),
        *("server", "server-state-file-name", "server-template", "source", "srvtcpka-cnt", "srvtcpka-idle"),
        *("srvtcpka-intvl", "stick", "stick-table", "tcp-check", "use-fcgi-app", "use-server"),
        *("timeout check", "timeout connect", "timeout queue", "timeout server", "timeout server-fin"),
        *("timeout tunnel",),
        *(
            f"option {name}"
            for name in (
                *(
                    "abortonclose",
                    "accept-invalid-http-response",
                    "allbackups",
                    "checkcache",
                    "external-check",
                ),
                *("accept-unsafe-violations-in-http-response", "h1-case-adjust-bogus-server", "httpchk"),
                *("http-pretend-keepalive", "ldap-check", "log-health-checks", "mysql-check", "persist"),
                *("pgsql-check", "prefer-last-server", "redis-check", "redispatch", "smtpchk", "spop-check"),
                *("srvtcpka", "ssl-hello-chk", "tcp-check", "tcp-smart-connect", "transparent"),
            )
        ),
    }
)
"""Configuration manual, 4.1: keywords that mean something on one side alone. Others mean something on both."""

RULES = frozenset(
    {
        *("acl", "email-alert", "filter", "http-after-response", "http-request", "http-response", "redirect"),
        *("tcp-request", "tcp-response", "stats", "compression", "description", "errorfile", "errorfiles"),
        *("errorloc", "errorloc302", "errorloc303", "http-error"),
    }
)
"""Of a `listen` section, which is both sides, they go to the frontend: everything comes through there."""


@dataclass(slots=True)
class Proxy:
    """One side of a section. Lines that are taken are said by keys; what remains goes to `raw`."""

    side: Side
    section: Section
    inherited: tuple[Line, ...]
    own: tuple[Line, ...]
    taken: set[int] = field(default_factory=set)

    @property
    def title(self) -> str:
        return self.section.title

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.inherited + self.own

    def all(self, *keywords: str) -> list[Line]:
        return [line for line in self.lines if line.keyword in keywords]

    def last(self, *keywords: str) -> Line | None:
        """The one that counts, where a later line takes the place of an earlier one."""
        found = self.all(*keywords)
        return found[-1] if found else None

    def take(self, *keywords: str) -> None:
        self.taken.update(line.number for line in self.all(*keywords))

    def overridden(self) -> list[Line]:
        """Lines in whose place a later one counts."""
        last = {line.keyword: line.number for line in self.lines if line.keyword in _ONCE}
        return [line for line in self.lines if last.get(line.keyword, line.number) != line.number]

    def left(self) -> Iterator[Line]:
        return (line for line in self.lines if line.number not in self.taken)

    @property
    def mode(self) -> str:
        line = self.last("mode")
        return line.word(1) if line is not None else "tcp"


def proxies(cfg: Cfg) -> list[Proxy]:
    """Every frontend, backend, and both sides of every `listen`, in their order."""
    found = []
    for section, base in with_defaults(cfg):
        inherited = base.lines if base is not None else ()
        sides: Sequence[Side] = ("frontend", "backend")
        if section.kind != "listen":
            sides = ("backend",) if section.kind == "backend" else ("frontend",)
        for side in sides:
            whole = len(sides) == 1
            found.append(
                Proxy(
                    side,
                    section,
                    tuple(line for line in inherited if _is_of(line, side)),
                    tuple(line for line in section.lines if whole or _goes_to(line, section, side)),
                )
            )
    return found


def with_defaults(cfg: Cfg) -> Iterator[tuple[Section, Section | None]]:
    """Every frontend, backend and listen with the section `defaults` that it begins from.

    Such a section may itself begin from a named one (4.). Without `from` it is the last one before.
    """
    named: dict[str, Section] = {}
    last: Section | None = None
    for section in cfg.sections:
        if section.kind == "defaults":
            base = named.get(section.base)
            last = section if base is None else _on(base, section)
            named[section.name] = last
        elif section.kind in {"frontend", "backend", "listen"}:
            yield section, named.get(section.base, last) if section.base else last


def _on(base: Section, section: Section) -> Section:
    return Section(section.kind, section.name, section.head, base.lines + section.lines)


def _is_of(line: Line, side: Side) -> bool:
    return line.keyword not in (_OF_BACKENDS if side == "frontend" else _OF_FRONTENDS)


def _goes_to(line: Line, section: Section, side: Side) -> bool:
    keyword = line.keyword
    if keyword == "stick-table" and not any(other.keyword == "stick" for other in section.lines):
        return side == "frontend"  # the rules that count without naming a table stand there
    if keyword.split(" ")[0] in RULES:
        return side == "frontend"
    if keyword in {"timeout http-request", "timeout http-keep-alive"}:
        return side == "frontend"
    return _is_of(line, side)
