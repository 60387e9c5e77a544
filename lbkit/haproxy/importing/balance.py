"""How a backend spreads requests, and what keeps a client at its server."""

from __future__ import annotations

from typing import Any

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.fitting import misfit, misfit_of
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import duration, milliseconds, size, whole
from lbkit.haproxy.spec.backend import Backend
from lbkit.haproxy.spec.balance import HASHING, Hash, algorithm_of
from lbkit.haproxy.spec.persistence import OneCookie, OnePersist

_OPTIONS = {
    "whole": "whole",
    "path-only": "path_only",
    "check_post": "check_post",
    "use_domain_only": "domain_only",
}
_NUMBERS = {"len": "length", "depth": "depth"}


def balance(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    """`balance`, `hash-type` and `hash-balance-factor`: lbkit writes them all itself."""
    line = proxy.last("balance")
    algorithm, hashed = ("roundrobin", {}) if line is None else _algorithm(line)
    for each in proxy.all("balance"):
        proxy.taken.add(each.number)
        if algorithm is None:
            report.left_out(each, proxy.title, "lbkit has no such algorithm: `roundrobin` is taken")
        else:
            report.carried(each, proxy.title, "balance")
    if algorithm not in {None, "roundrobin"}:
        data["balance"] = algorithm
    name, _ = algorithm_of(algorithm or "")
    if name in HASHING:
        hashed |= _hash_type(proxy, report)
        if hashed.get("type") != "map-based":
            report.note(
                "where requests are placed by a consistent hash, lbkit numbers servers by their names: they are placed anew "
                "once"
            )
    for each in proxy.all("hash-type"):
        proxy.taken.add(each.number)
        report.carried(each, proxy.title, "hash")
    factor = proxy.last("hash-balance-factor")
    if (
        factor is not None
        and whole(factor.word(1))
        and not misfit(Hash, "balance_factor", whole(factor.word(1)))
    ):
        hashed["balance_factor"] = whole(factor.word(1))
        proxy.take("hash-balance-factor")
        report.carried(factor, proxy.title, "hash.balance_factor")
    if hashed:
        data["hash"] = hashed
        if Hash(**hashed).misplaced(data.get("balance", "roundrobin")):
            del data["hash"]


def _algorithm(line: Line) -> tuple[str | None, dict[str, Any]]:
    """None where the language has none."""
    words = list(line.words[1:])
    if not words or line.variables:
        return None, {}
    name = words.pop(0)
    if name == "url_param" and words:
        name = f"url_param({words.pop(0)})"
    hashed: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word in _OPTIONS:
            hashed[_OPTIONS[word]] = True
        elif word in _NUMBERS and words:
            hashed[_NUMBERS[word]] = whole(words.pop(0))
        else:
            return None, {}
    if misfit(Backend, "balance", name) or misfit_of(Hash, hashed):
        return None, {}
    return name, hashed


def _hash_type(proxy: Proxy, report: Report) -> dict[str, Any]:
    line = proxy.last("hash-type")
    words = line.words[1:] if line is not None else ("map-based",)
    found: dict[str, Any] = {} if words[0] == "consistent" else {"type": words[0]}
    if len(words) > 1:
        found["function"] = words[1]
    if words[2:] == ("avalanche",):
        found["avalanche"] = True
    if len(words) > 3 or misfit_of(Hash, found):
        if line is not None:
            report.left_out(line, proxy.title, "lbkit has no such hash: `map-based` is taken")
        return {"type": "map-based"}
    return found


def persistence(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    _cookie(proxy, data, report)
    if "cookie" not in data:
        _table(proxy, data, report)


_FLAGS = ("indirect", "nocache", "postonly", "preserve", "httponly", "secure", "dynamic")


def _cookie(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    line = proxy.last("cookie")
    if line is None:
        return
    if proxy.mode != "http":
        proxy.take("cookie")
        report.left_out(line, proxy.title, "in tcp mode there are no cookies")
        return
    words = list(line.words[2:])
    found: dict[str, Any] = {"name": line.word(1)}
    method = next((word for word in words if word in {"insert", "prefix", "rewrite"}), None)
    lost: list[str] = []
    if method == "insert":
        found |= {flag: flag in words for flag in ("indirect", "nocache", "httponly")}
    elif method is not None:
        found["method"] = method
    rest = iter(words)
    for word in rest:
        if word == method:
            continue
        if word in _FLAGS and method == "insert":
            found[word] = True
        elif word in {"maxidle", "maxlife"} and method == "insert":
            ms = milliseconds(next(rest, ""), "s")
            found["max_idle" if word == "maxidle" else "max_life"] = duration(ms) if ms else None
        elif word == "domain" and method == "insert" and "domain" not in found:
            found["domain"] = next(rest, "")
        elif word == "attr" and method == "insert":
            name, _, value = next(rest, "").partition("=")
            if name.lower() == "samesite" and "same_site" not in found:
                found["same_site"] = value.lower()
            else:
                lost.append(f"attr {name}")
        else:
            lost.append(word)
    proxy.take("cookie", "dynamic-cookie-key")
    usual = {"indirect": True, "nocache": True, "httponly": True}
    short = {key: value for key, value in found.items() if usual.get(key) is not value}
    if method is None or misfit_of(OneCookie, short):
        report.left_out(line, proxy.title, "lbkit has no such cookie: clients are not kept at their servers")
        return
    data["cookie"] = short["name"] if len(short) == 1 else short
    for key in proxy.all("dynamic-cookie-key"):
        report.left_out(key, proxy.title, "lbkit makes a key of its own: clients get a new cookie once")
    if lost:
        report.left_out(
            line, proxy.title, f"without {', '.join(lost)}, which lbkit's cookies of this kind have not"
        )
    else:
        report.carried(line, proxy.title, "cookie")


def _table(proxy: Proxy, data: dict[str, Any], report: Report) -> None:
    """`persist: source`, where the table is for nothing else."""
    table, sticks = proxy.last("stick-table"), proxy.all("stick")
    if table is None or len(sticks) != 1 or sticks[0].words != ("stick", "on", "src"):
        return
    said = dict(zip(table.words[1::2], table.words[2::2], strict=False))
    if len(table.words) % 2 == 0 or not {"type", "size"} <= said.keys() <= {
        "type",
        "size",
        "expire",
        "peers",
    }:
        return
    ms = milliseconds(said.get("expire", ""))
    found = {"by": "source", "size": size(said["size"]), "expire": duration(ms) if ms else None}
    if said["type"] not in {"ip", "ipv6"} or None in found.values() or misfit_of(OnePersist, found):
        return
    usual = {"size": 100_000, "expire": "30m"}
    short = {key: value for key, value in found.items() if usual.get(key) != value}
    data["persist"] = "source" if len(short) == 1 else short
    proxy.take("stick-table", "stick")
    for line in (table, *sticks):
        report.carried(line, proxy.title, "persist")
