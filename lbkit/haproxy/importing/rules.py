"""Rules for requests that keys say exactly: those at the end of a frontend's rules, in the order that lbkit has them.

Lines of `raw` come before all that keys say. A rule that is taken from between others would move behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.fitting import misfit, misfit_of
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.spec.access import Source
from lbkit.haproxy.spec.handling import Handling
from lbkit.haproxy.spec.headers import Changes

_ORDER = ("deny", "allow", "remove", "set", "add")
_HEADERS = {"del-header": "remove", "set-header": "set", "add-header": "add"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One that a key says. `value`: sources, or a header with its value."""

    line: Line
    key: str
    value: tuple[str, ...]


def exact(proxy: Proxy) -> list[Rule]:
    """The longest end of the chain that keys say, and that stands in their order."""
    kind = "http-request" if proxy.mode == "http" else "tcp-request"
    chain = [line for line in proxy.lines if line.words[0] == kind]
    if proxy.mode != "http":
        chain = [line for line in chain if line.word(1) == "connection"]
    lists = _sources(proxy)
    found: list[Rule] = []
    for line in reversed(chain):
        rule = _rule(line, proxy, lists)
        if rule is None or (found and not _before(rule, found)):
            break
        found.insert(0, rule)
    return found


def data_of(rules: Sequence[Rule]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    request: dict[str, Any] = {}
    for rule in rules:
        if rule.key in {"deny", "allow"}:
            found[rule.key] = list(rule.value)
        elif rule.key == "remove":
            request.setdefault("remove", []).append(rule.value[0])
        else:
            request.setdefault(rule.key, {})[rule.value[0]] = rule.value[1]
    if request:
        found["headers"] = {"request": request}
    return found


def unused(proxy: Proxy, gone: Sequence[Line]) -> Iterator[Line]:
    """Lines `acl` that only rules which are `gone` speak of."""
    numbers = {line.number for line in gone}
    rest = [line for line in proxy.lines if line.number not in numbers and line.words[0] != "acl"]
    spoken = {word.removeprefix("!") for line in rest for word in line.words}
    before = {word.removeprefix("!") for line in gone for word in line.words}
    return (
        line
        for line in proxy.all("acl")
        if line.word(1) in before and line.word(1) not in spoken and not line.variables
    )


def _before(rule: Rule, following: Sequence[Rule]) -> bool:
    """In lbkit's order; each list once, and each header."""
    if rule.key in {"deny", "allow"}:
        return _ORDER.index(rule.key) < _ORDER.index(following[0].key)
    name = rule.value[0].lower()
    once = all(rule.key != other.key or name != other.value[0].lower() for other in following)
    return once and _ORDER.index(rule.key) <= _ORDER.index(following[0].key)


def _sources(proxy: Proxy) -> Mapping[str, list[str] | None]:
    """Lists of addresses by the names of their `acl`; None for one that is something else too."""
    found: dict[str, list[str] | None] = {}
    for line in proxy.all("acl"):
        name, *rest = line.words[1:] or ("",)
        nets = _nets(rest)
        before = found.get(name, [])
        found[name] = None if nets is None or before is None or line.variables else [*before, *nets]
    return found


def _nets(words: Sequence[str]) -> list[str] | None:
    """Of `src NET...`."""
    if len(words) < 2 or words[0] != "src" or any(misfit_of(Source, word) for word in words[1:]):
        return None
    return list(words[1:])


def _rule(line: Line, proxy: Proxy, lists: Mapping[str, list[str] | None]) -> Rule | None:
    if line.variables:
        return None
    words = line.words
    if proxy.mode == "http":
        header = _header(line)
        if header is not None:
            return header
        words = words[:2] + words[4:] if words[2:4] == ("deny_status", "403") else words
        wanted: tuple[str, ...] = ("http-request", "deny")
    else:
        wanted = ("tcp-request", "connection", "reject")
        if any("accept-proxy" in bind.words for bind in proxy.all("bind")):
            return None
    size = len(wanted)
    if words[:size] != wanted or words[size : size + 1] not in {("if",), ("unless",)}:
        return None
    condition = list(words[size + 1 :])
    deny = words[size] == "if"
    if condition[:1] == ["{"] and condition[-1:] == ["}"] and condition.count("{") == 1:
        nets = _nets(condition[1:-1])
    elif len(condition) == 1:
        negated = condition[0].startswith("!")
        deny ^= negated
        nets = lists.get(condition[0].removeprefix("!"))
    else:
        return None
    if not nets or misfit(Handling, "deny" if deny else "allow", nets):
        return None
    return Rule(line, "deny" if deny else "allow", tuple(nets))


def _header(line: Line) -> Rule | None:
    """Without a condition, and with a value in which nothing is expanded."""
    key = _HEADERS.get(line.word(1))
    if key is None or len(line.words) != (3 if key == "remove" else 4):
        return None
    name, value = line.word(2), line.word(3)
    if key == "remove":
        return None if misfit(Changes, "remove", [name]) else Rule(line, key, (name,))
    if "%" in value.replace("%%", "") or "\\" in value:
        return None
    value = value.replace("%%", "%")
    return None if misfit(Changes, key, {name: value}) else Rule(line, key, (name, value))
