"""What stands in sections `defaults` beside the keys of the language, and what goes there again: `raw_defaults`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lbkit.haproxy.importing import logs
from lbkit.haproxy.importing.backends import NOTHING
from lbkit.haproxy.importing.cfg import Cfg
from lbkit.haproxy.importing.fitting import misfit_as_raw
from lbkit.haproxy.importing.part import WHY, Renamed, doubts
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy, with_defaults

_SAID = frozenset(
    {
        *("balance", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "cookie", "default-server"),
        *(
            "default_backend",
            "dynamic-cookie-key",
            "external-check",
            "fullconn",
            "hash-balance-factor",
            "hash-type",
        ),
        *("http-check", "http-reuse", "load-server-state-from-file", "log", "log-format", "maxconn", "mode"),
        *("option abortonclose", "option allbackups", "option clitcpka", "option dontlognull"),
        *(
            "option external-check",
            "option forwardfor",
            "option httpchk",
            "option httplog",
            "option httpslog",
        ),
        *("option idle-close-on-response", "option ldap-check", "option mysql-check", "option pgsql-check"),
        *(
            "option redis-check",
            "option redispatch",
            "option smtpchk",
            "option spop-check",
            "option srvtcpka",
        ),
        *("option ssl-hello-chk", "option tcp-check", "option tcplog", "rate-limit", "retries", "retry-on"),
        *("srvtcpka-cnt", "srvtcpka-idle", "srvtcpka-intvl", "tcp-check", "timeout check", "timeout client"),
        *(
            "timeout connect",
            "timeout http-keep-alive",
            "timeout http-request",
            "timeout queue",
            "timeout server",
        ),
        *("timeout tunnel",),
    }
)
"""Keywords that keys of each frontend or backend may say. Others of the section `defaults` can stay there, as raw."""

_RULES = frozenset(
    {"acl", "http-request", "http-response", "http-after-response", "tcp-request", "tcp-response"}
)


def shared(cfg: Cfg, sides: Sequence[Proxy], renamed: Renamed, report: Report) -> list[str]:
    """Lines of the one section `defaults` that all begin from, as `raw_defaults`."""
    bases = {id(base): base for section, base in with_defaults(cfg)}
    used = [base for base in bases.values() if base is not None]
    if len({base.head.number for base in used}) != 1 or len(bases) != 1:
        return []
    found = []
    for line in used[0].lines:
        text = renamed.line(line)
        wrong = misfit_as_raw("defaults", text)
        if line.keyword in _SAID or line.words[0] in _RULES or line.keyword in WHY:
            continue
        for proxy in sides:
            proxy.taken.add(line.number)
        if wrong:
            report.left_out(line, "defaults", f"`raw_defaults` takes {wrong}")
        else:
            report.raw(line, "defaults", doubts(line))
            found.append(text)
    return found


def hoisted(frontends: dict[str, Any], backends: dict[str, Any]) -> list[str]:
    """Lines about lbkit's own `defaults` that all of them have, once."""
    found = []
    everyone = [*frontends.values(), *backends.values()]
    redispatch = {
        line for part in backends.values() for line in part.get("raw", ()) if line.startswith("option redis")
    }
    for line, parts in (
        ("no option dontlognull", list(frontends.values())),
        ("no log", everyone),
        (logs.OWN, everyone),
        *(
            (line, list(backends.values()))
            for line in sorted(redispatch)
            if line.startswith("option redispatch")
        ),
    ):
        if parts and all(line in part.get("raw", ()) for part in parts):
            found.append(line)
            for part in parts:
                part["raw"].remove(line)
                if not part["raw"]:
                    del part["raw"]
                    if "servers" in part and not part["servers"]:
                        part["raw"] = [NOTHING]
    return found
