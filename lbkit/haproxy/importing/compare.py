"""Whether two configurations mean the same to HAProxy: a haproxy.cfg, and what lbkit renders of its import.

Proxies are compared by what holds for them in the end: settings of `defaults` merged in, defaults of HAProxy filled in,
times in one unit, servers with their `default-server`, rules in their order. It knows nothing of how the import went.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lbkit.haproxy.importing.cfg import parse
from lbkit.haproxy.importing.compare_servers import servers_as_meant
from lbkit.haproxy.importing.settings import Proxy, proxies
from lbkit.haproxy.importing.values import Names, milliseconds

_CHAINS = frozenset(
    {
        *(
            "acl",
            "http-request",
            "http-response",
            "http-after-response",
            "tcp-request",
            "tcp-response",
            "redirect",
        ),
        *(
            "use_backend",
            "stick",
            "http-check",
            "tcp-check",
            "filter",
            "use-server",
            "capture",
            "log",
            "compression",
        ),
        *(
            "stats",
            "errorfile",
            "email-alert",
            "declare",
            "monitor",
            "persist",
            "ignore-persist",
            "force-persist",
        ),
    }
)
"""Of these each line counts, in its order."""

_USUAL = {"balance": "roundrobin", "retries": "3", "hash-type": "map-based", "http-reuse": "safe"}
_TIMES = {
    "frontend": ("client", "http-request", "http-keep-alive"),
    "backend": ("connect", "server", "queue", "tunnel"),
}
_FALLBACK = {"queue": "connect", "http-keep-alive": "http-request"}
_OWN = frozenset({"option idle-close-on-response", "load-server-state-from-file", "mode", "bind"})
_FORMATS = frozenset({"option httplog", "option tcplog", "option httpslog", "log-format"})


@dataclass(slots=True)
class Meaning:
    """Of one proxy. `listens`: it is a side of such a section. `servers`: each one's address and words."""

    mode: str
    listens: bool
    settings: dict[str, str] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)
    servers: dict[str, dict[str, str]] = field(default_factory=dict)


def differences(before: str, after: str, files: Mapping[str, str]) -> list[str]:
    """`files`: the lists that rules of `after` name (`-f`), by their paths. Each difference is a sentence.

    Left aside is what no client and no server notices: the format of a log where none was written, the side of a
    `listen` section that has no server, and that a frontend which leads nowhere says so itself.
    """
    found = []
    had, has = meanings(before, {}), meanings(after, files)
    labels = {side: Names.of(name for kind, name in had if kind == side) for side in ("frontend", "backend")}
    logged = _logs(after)
    for (kind, name), meaning in had.items():
        other = has.get((kind, labels[kind][name]))
        if other is None:
            if kind == "frontend" or meaning.servers or not meaning.listens:
                found.append(f"{kind} {name} is not there")
            continue
        if kind == "frontend":
            _led(
                name,
                meaning,
                other,
                labels["backend"],
                leads=("backend", labels["backend"].labels.get(name)) in has,
            )
        _rename(meaning, [labels["frontend"], labels["backend"], Names.of(meaning.servers)])
        if not logged:
            for each in (meaning, other):
                each.chains["log"] = [line for line in each.chains["log"] if line != "global"]
        found += [f"{kind} {name}: {text}" for text in _between(meaning, other)]
    return found


def meanings(text: str, files: Mapping[str, str]) -> dict[tuple[str, str], Meaning]:
    return {(proxy.side, proxy.section.name): _meaning(proxy, files) for proxy in proxies(parse(text))}


def _logs(text: str) -> bool:
    """Whether `global` sends logs elsewhere than to HAProxy's own."""
    return any(
        line.word(0) == "log" and line.word(1) != "stdout"
        for section in parse(text).sections
        if section.kind == "global"
        for line in section.lines
    )


def _rename(meaning: Meaning, names: list[Names]) -> None:
    """Lines that speak of others by their names."""
    changed = {old: new for each in names for old, new in each.changed.items()}
    if changed:
        old = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, changed))})(?![\w.-])")
        meaning.chains = {
            keyword: [old.sub(lambda match: changed[match[1]], line) for line in lines]
            for keyword, lines in meaning.chains.items()
        }


def _led(name: str, had: Meaning, has: Meaning, labels: Names, *, leads: bool) -> None:
    """Where both lead by default: to a backend by its new name, to a `listen` section's other side, to one of another mode."""
    default = had.settings.get("default_backend")
    if had.listens and default is None and leads:
        default = name
    uses = [words.split(" ") for words in had.chains.get("use_backend", ())]
    chain = [" ".join((labels.labels.get(first, first), *rest)) for first, *rest in uses]
    if default is not None and has.settings.get("default_backend") is None:
        chain.append(labels.labels.get(default, default))
        had.settings.pop("default_backend", None)
    elif default is not None:
        had.settings["default_backend"] = labels.labels.get(default, default)
    elif not any(had.chains.values()):
        for keyword, answer in (("tcp-request", "content reject"), ("http-request", "deny deny_status 503")):
            if has.chains.get(keyword) == [answer]:
                del has.chains[keyword]
    if chain:
        had.chains["use_backend"] = chain
    if "format" not in had.settings:
        has.settings.pop("format", None)


def _between(had: Meaning, has: Meaning) -> Iterator[str]:
    if had.mode != has.mode:
        yield f"mode {had.mode} is {has.mode}"
    for keyword in sorted({*had.settings, *has.settings}):
        one, two = had.settings.get(keyword, "not set"), has.settings.get(keyword, "not set")
        if one != two:
            yield f"{keyword}: {one} is {two}"
    for keyword in sorted({*had.chains, *has.chains}):
        if had.chains.get(keyword, []) != has.chains.get(keyword, []):
            yield f"{keyword}: {had.chains.get(keyword, [])} is {has.chains.get(keyword, [])}"
    labels = Names.of(had.servers)
    if [labels[name] for name in had.servers] != list(has.servers):
        yield f"servers {', '.join(had.servers)} are {', '.join(has.servers)}"
        return
    for name, words in had.servers.items():
        others = has.servers[labels[name]]
        for word in sorted({*words, *others}):
            if word in {"id", "cookie"} and word not in words:
                continue  # lbkit's: a number where servers are found by a hash, a cookie for each server
            if words.get(word) != others.get(word):
                yield f"server {name}: {word} {words.get(word, 'not set')!r} is {others.get(word, 'not set')!r}"


def _meaning(proxy: Proxy, files: Mapping[str, str]) -> Meaning:
    found = Meaning(proxy.mode, proxy.section.kind == "listen")
    logs: list[str] = []
    sources = _sources(proxy)
    for line in proxy.lines:
        keyword = line.keyword
        text = " ".join(_listed(line.words[1:], files))
        if line.words[0] == "acl" and line.word(1) in sources:
            continue
        if keyword == "option forwardfor" and proxy.side == "backend" and line in proxy.inherited:
            continue  # the frontend says it as well
        if keyword in _OWN or keyword.startswith("timeout ") or line.words[0] in {"server", "default-server"}:
            continue
        if keyword == "log":
            logs = [] if line.negated else [*logs, text]
        elif line.words[0] in _CHAINS or keyword.split(" ")[0] in _CHAINS:
            found.chains.setdefault(line.words[0], []).append(_rule(text, sources))
        elif line.negated:
            found.settings.pop(keyword, None)
        elif keyword in _FORMATS:
            found.settings["format"] = " ".join(line.words)
        else:
            found.settings[keyword] = text
    found.chains["log"] = list(
        dict.fromkeys(each for each in logs if not each.startswith("stdout format raw"))
    )
    for keyword, usual in _USUAL.items():
        if found.settings.get(keyword) == usual:
            del found.settings[keyword]
    if not {"source", "uri", "hdr", "url_param", "rdp-cookie"} & set(
        re.split(r"[ (]", found.settings.get("balance", ""))
    ):
        found.settings.pop("hash-type", None)
    for name in _TIMES[proxy.side]:
        if proxy.mode == "http" or not name.startswith("http-"):
            found.settings[f"timeout {name}"] = f"{_time(proxy, name)} ms"
    for name in ("client-fin", "server-fin", "tarpit"):
        last = proxy.last(f"timeout {name}")
        if last is not None and (
            name == "tarpit" or name.startswith({"frontend": "c", "backend": "s"}[proxy.side])
        ):
            found.settings[f"timeout {name}"] = f"{milliseconds(last.word(2))} ms"
    found.servers = servers_as_meant(proxy)
    if "cookie" not in found.settings:
        for words in found.servers.values():
            words.pop("cookie", None)
    return found


def _sources(proxy: Proxy) -> dict[str, str]:
    """Conditions `acl NAME src ...` by their names, as they would be written in braces."""
    found: dict[str, str] = {}
    for line in proxy.all("acl"):
        if line.word(2) == "src" and "-f" not in line.words:
            nets = sorted({*found.get(line.word(1), "").split()[2:-1], *line.words[3:]})
            found[line.word(1)] = " ".join(("{", "src", *nets, "}"))
    return found


def _rule(text: str, sources: Mapping[str, str]) -> str:
    """As it would be written without names of conditions, and without what goes without saying."""
    text = text.replace("deny deny_status 403 ", "deny ").removesuffix(" hdr User-Agent lbkit")
    words = " ".join(_braced(word, sources) for word in text.split(" "))
    words = re.sub(r" if !(\{ src [^{}]* \})$", r" unless \1", words)
    return re.sub(
        r"\{ src ([^{}]*) \}", lambda match: f"{{ src {' '.join(sorted(_nets(match[1])))} }}", words
    )


def _braced(word: str, sources: Mapping[str, str]) -> str:
    plain = word.removeprefix("!")
    return word[: len(word) - len(plain)] + sources.get(plain, plain)


def _nets(text: str) -> Iterator[str]:
    return (net.removesuffix("/128" if ":" in net else "/32") for net in text.split())


def _time(proxy: Proxy, name: str) -> int:
    """0: it waits for ever."""
    line = proxy.last(f"timeout {name}")
    if line is not None:
        return milliseconds(line.word(2)) or 0
    return _time(proxy, _FALLBACK[name]) if name in _FALLBACK else 0


def _listed(words: tuple[str, ...], files: Mapping[str, str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        path = next(rest, "") if word == "-f" else ""
        if path and path in files:
            yield from sorted(files[path].split())
        elif path:
            yield from (word, path)
        else:
            yield word
