"""The section `global`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lbkit.haproxy.importing.cfg import Line, Section
from lbkit.haproxy.importing.fitting import misfit, misfit_as_raw, misfit_of
from lbkit.haproxy.importing.part import Renamed, doubts
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.values import duration, milliseconds, place, size, whole
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.logs import OneLogTarget
from lbkit.haproxy.spec.process import Tuning

_TUNING = {
    "nbthread": "threads",
    "tune.bufsize": "buffer_size",
    "tune.maxrewrite": "rewrite_reserve",
    "tune.http.maxhdr": "headers",
    "spread-checks": "spread_checks",
}
_INSTEAD = {
    "chroot": "lbkit's HAProxy sees the host's files",
    "daemon": "lbkit starts HAProxy and watches over it",
    "description": "lbkit says in it what a process has loaded",
    "gid": "its workers are user `haproxy` where ids can be switched",
    "group": "its workers are user `haproxy` where ids can be switched",
    "localpeer": "lbkit names it as the machine",
    "master-worker": "lbkit's HAProxy has a master in any case",
    "mworker-max-reloads": "`hard_stop_after` ends old workers",
    "nbproc": "HAProxy has one process since 2.5, with threads",
    "pidfile": "lbkit finds its processes by their records",
    "server-state-base": "lbkit keeps servers' states in a file of its own",
    "server-state-file": "lbkit keeps servers' states in a file of its own",
    "stats socket": "lbkit has a runtime socket of its own in the service's folder",
    "stats timeout": "of lbkit's own runtime socket, 1m",
    "stats maxconn": "of lbkit's own runtime socket",
    "uid": "its workers are user `haproxy` where ids can be switched",
    "user": "its workers are user `haproxy` where ids can be switched",
}


@dataclass(slots=True)
class Global:
    """`lines`: where its keys come from. `logs`: whether any line sends a log somewhere. `verifies`: servers' certificates, unless they say otherwise."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    logs: bool = False
    verifies: bool = True

    def path(self, text: str, base: str) -> str:
        """A file as it is named there, below `crt-base` or `ca-base`."""
        return text if text.startswith(("/", "@")) or base not in self.bases else f"{self.bases[base]}/{text}"


def global_(sections: list[Section], renamed: Renamed, report: Report) -> Global:
    found = Global()
    data = found.data
    raw: list[str] = []
    logs: list[dict[str, Any]] = []
    for section in sections:
        for line in section.lines:
            key = _key(line, data)
            target = _target(line)
            if key:
                found.lines[tuple(key.split("."))] = line.number
                report.carried(line, "global", key)
            elif target is not None:
                logs.append(target)
                report.carried(line, "global", "log")
            elif line.keyword in _INSTEAD:
                report.left_out(line, "global", _INSTEAD[line.keyword])
            elif line.keyword in {"crt-base", "ca-base"}:
                found.bases[line.keyword] = line.word(1).rstrip("/")
                report.carried(line, "global", "paths of certificates")
            else:
                text = renamed.line(line)
                wrong = misfit_as_raw("global", text)
                if wrong:
                    report.left_out(line, "global", f"`raw` takes {wrong}")
                else:
                    raw.append(text)
                    report.raw(line, "global", doubts(line))
            found.logs |= line.keyword == "log"
            found.verifies &= line.words[:2] != ("ssl-server-verify", "none")
    if logs:
        data["log"] = logs
    if raw:
        data["raw"] = raw
    if "maxconn" not in data:
        report.note(
            "global sets no maxconn: lbkit has HAProxy use at most 100,000 open files (`maxconn` says more)"
        )
    if "hard_stop_after" not in data:
        report.note("a process that a reload replaces ends after 5m at the latest (`hard_stop_after`)")
    return found


def _key(line: Line, data: dict[str, Any]) -> str:
    """The key that now says it; "" for none."""
    if len(line.words) != 2 or line.variables:
        return ""
    value = line.word(1)
    if line.keyword in _TUNING:
        key, number = _TUNING[line.keyword], size(value) if "size" in line.keyword else whole(value)
        if number is None or misfit(Tuning, key, number):
            return ""
        data.setdefault("tuning", {})[key] = number
        return f"tuning.{key}"
    if line.keyword == "maxconn" and not misfit(LoadBalancer, "maxconn", whole(value)) and whole(value):
        data["maxconn"] = whole(value)
        return "maxconn"
    time = milliseconds(value)
    if (
        line.keyword == "hard-stop-after"
        and time
        and not misfit(LoadBalancer, "hard_stop_after", time / 1000)
    ):
        data["hard_stop_after"] = duration(time)
        return "hard_stop_after"
    return ""


def _target(line: Line) -> dict[str, Any] | None:
    """`log ADDRESS [len N] [format F] FACILITY [LEVEL]` (configuration manual, 3.1 "log")."""
    where = place(line.word(1), port=False) if line.keyword == "log" and not line.negated else None
    if where is None or where.address is None or line.variables:
        return None
    port = f":{where.port or 514}"
    target: dict[str, Any] = {
        "address": (f"[{where.host}]" if ":" in where.host else where.host) + port,
    }
    words = list(line.words[2:])
    while words and words[0] in {"len", "format"}:
        if len(words) < 2:
            return None
        target["length" if words[0] == "len" else "format"] = (
            whole(words[1]) if words[0] == "len" else words[1]
        )
        del words[:2]
    if not 1 <= len(words) <= 2:
        return None
    target["facility"] = words[0]
    target["level"] = words[1] if len(words) == 2 else "debug"
    return None if misfit_of(OneLogTarget, target) else target
