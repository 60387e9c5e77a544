"""Lines `server`, `server-template` and `default-server`: what all servers share, and what is each one's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.fitting import misfit, misfit_as_words
from lbkit.haproxy.importing.values import Names, Place, duration, milliseconds, place, whole
from lbkit.haproxy.spec.server import AddressServer
from lbkit.haproxy.spec.traffic import Traffic

_WITH_VALUE = frozenset(
    {
        *(
            "addr",
            "agent-addr",
            "agent-inter",
            "agent-port",
            "agent-send",
            "alpn",
            "ca-file",
            "cc",
            "check-alpn",
        ),
        *(
            "check-pool-conn-name",
            "check-proto",
            "check-sni",
            "ciphers",
            "ciphersuites",
            "client-sigalgs",
            "cookie",
        ),
        *(
            "crl-file",
            "crt",
            "curves",
            "downinter",
            "error-limit",
            "fall",
            "fastinter",
            "guid",
            "hash-key",
            "id",
        ),
        *(
            "idle-ping",
            "init-addr",
            "init-state",
            "inter",
            "interface",
            "log-bufsize",
            "log-proto",
            "max-reuse",
        ),
        *("maxconn", "maxqueue", "minconn", "namespace", "npn", "observe", "on-error", "on-marked-down"),
        *(
            "on-marked-up",
            "pool-conn-name",
            "pool-low-conn",
            "pool-max-conn",
            "pool-purge-delay",
            "port",
            "proto",
        ),
        *("proxy-v2-options", "quic-cc-algo", "redir", "resolve-net", "resolve-opts", "resolve-prefer"),
        *(
            "resolvers",
            "rise",
            "send-proxy-v2-tlv",
            "set-proxy-v2-tlv-fmt",
            "shard",
            "sigalgs",
            "slowstart",
            "sni",
        ),
        *(
            "socks4",
            "source",
            "ssl-max-ver",
            "ssl-min-ver",
            "tcp-md5sig",
            "tcp-ut",
            "track",
            "usesrc",
            "verify",
        ),
        *("verifyhost", "weight", "ws"),
    }
)
"""Words that a value follows (configuration manual, 5.2)."""

CHECK = (
    "inter",
    "fastinter",
    "downinter",
    "rise",
    "fall",
    "port",
    "check-ssl",
    "check-sni",
    "check-send-proxy",
)
AGENT = ("agent-check", "agent-port", "agent-inter", "agent-send")
_ALIKE = {
    "slowstart": "slow_start",
    "send-proxy": "send_proxy",
    "send-proxy-v2": "send_proxy",
    "observe": "observe",
    "error-limit": "error_limit",
    "on-error": "on_error",
    "on-marked-down": "shutdown_when_down",
    "on-marked-up": "shutdown_backups_when_up",
}
"""Words that a key of the backend says, where all its servers have them alike."""


@dataclass(slots=True)
class Server:
    """`words`: all that hold for it, with their values ("" for a word without one). `lost`: what cannot be said."""

    line: Line
    name: str
    where: Place
    words: dict[str, str]
    lost: list[str] = field(default_factory=list)
    checked: bool = False

    def take(self, *words: str) -> tuple[str | None, ...]:
        return tuple(self.words.pop(word, None) for word in words)


def servers(lines: Sequence[Line]) -> tuple[list[Server], dict[int, str]]:
    """In their order, and what is wrong with lines of which no server can be made."""
    found: list[Server] = []
    wrong: dict[int, str] = {}
    defaults: dict[str, str] = {}
    for line in lines:
        if line.keyword == "default-server":
            defaults = _values(line.words[1:], defaults)
            continue
        template = line.keyword == "server-template"
        address = line.word(3 if template else 2)
        where = place(address, port=True)
        if where is None or not where.host or where.last is not None or line.variables:
            wrong[line.number] = "a server of lbkit's has an address or a name, and a port"
            continue
        words = _values(line.words[4 if template else 3 :], defaults)
        names = _names(line.word(1), line.word(2)) if template else iter((line.word(1),))
        found.extend(Server(line, name, where, dict(words)) for name in names)
    return found, wrong


def shared(found: Sequence[Server]) -> dict[str, Any]:
    """What all have alike, as keys of the backend; taken from each one's words."""
    data: dict[str, Any] = {}
    for word, key in _ALIKE.items():
        values = {server.words.get(word) for server in found}
        value = next(iter(values)) if len(values) == 1 else None
        said = _said(word, value) if value is not None else None
        if said is None or misfit(Traffic, key, said) or key in data:
            continue
        data[key] = said
        for server in found:
            server.take(word)
    if "observe" not in data:
        for key in ("error_limit", "on_error"):
            data.pop(key, None)
    return data


def most_common(found: Sequence[Server], words: Sequence[str]) -> dict[str, str]:
    """Those of these words that most servers which are checked have."""
    counted = Counter(
        tuple((word, server.words[word]) for word in words if word in server.words)
        for server in found
        if "check" in server.words
    )
    return dict(counted.most_common(1)[0][0]) if counted else {}


def own(server: Server, labels: Names, *, cookies: bool) -> dict[str, Any]:
    """Its entry in `servers`, of the words that are still there."""
    data: dict[str, Any] = {
        "name": labels[server.name],
        "address": server.where.host,
        "port": server.where.port,
    }
    for word in ("weight", "maxconn", "minconn", "maxqueue"):
        (text,) = server.take(word)
        value = whole(text) if text is not None else None
        if text is not None and not (word != "weight" and value == 0):
            if value is None or misfit(AddressServer, word, value):
                server.lost.append(f"{word} {text}")
            elif (word, value) != ("weight", 1):
                data[word] = value
    if server.take("backup") != (None,):
        data["backup"] = True
    if server.take("disabled") != (None,):
        data["state"] = "maintenance"
    (cookie,) = server.take("cookie")
    if cookies and cookie != data["name"]:
        if cookie is not None and misfit(AddressServer, "cookie", cookie):
            server.lost.append(f"cookie {cookie}")
        elif cookie is not None:
            data["cookie"] = cookie
    server.take("enabled")
    (number,) = server.take("id")
    if number is not None:
        server.lost.append(f"id {number}, as numbers of servers are lbkit's own")
    words = " ".join(part for word, value in server.words.items() for part in (word, value) if part)
    if words:
        wrong = misfit_as_words(words)
        if wrong:
            server.lost.append(words)
        else:
            data["raw"] = words
    return data


def _values(words: Sequence[str], before: Mapping[str, str]) -> dict[str, str]:
    """`no-WORD` takes a word away (configuration manual, 5.2)."""
    found = dict(before)
    rest = iter(words)
    for word in rest:
        value = next(rest, "") if word in _WITH_VALUE else ""
        plain = word.removeprefix("no-")
        if word.startswith("no-") and plain in {
            "backup",
            "check",
            "agent-check",
            "send-proxy",
            "send-proxy-v2",
            "ssl",
        }:
            found.pop(plain, None)
            continue
        if word == "disabled":
            found.pop("enabled", None)
        elif word == "enabled":
            found.pop("disabled", None)
        found[word] = value
    return found


def _said(word: str, value: str) -> Any:
    if word == "slowstart":
        ms = milliseconds(value)
        return duration(ms) if ms else None
    if word in {"send-proxy", "send-proxy-v2"}:
        return "v1" if word == "send-proxy" else "v2"
    if word == "error-limit":
        return whole(value)
    if word in {"on-marked-down", "on-marked-up"}:
        return (
            True
            if value == ("shutdown-sessions" if word.endswith("down") else "shutdown-backup-sessions")
            else None
        )
    return value


def _names(prefix: str, numbers: str) -> Iterator[str]:
    """`web 1-3` and `web 3` are web1 to web3 (configuration manual, 4.2 "server-template")."""
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", numbers)
    if match is not None:
        first, last = (int(match[1]), int(match[2])) if match[2] else (1, int(match[1]))
        yield from (f"{prefix}{number}" for number in range(first, last + 1))
