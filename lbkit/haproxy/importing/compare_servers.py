"""What holds for each server of a proxy in the end: its words and those of `default-server`, without HAProxy's defaults."""

from __future__ import annotations

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import milliseconds

_CHECK_MS = {"inter", "fastinter", "downinter", "agent-inter", "slowstart"}
_USUAL_WORDS = {
    "weight": "1",
    "inter": "2000",
    "rise": "2",
    "fall": "3",
    "maxconn": "0",
    "agent-inter": "2000",
}
_VALUED = frozenset(
    {
        *("addr", "agent-inter", "agent-port", "agent-send", "alpn", "ca-file", "check-sni", "cookie", "crt"),
        *("downinter", "error-limit", "fall", "fastinter", "id", "init-addr", "inter", "maxconn", "maxqueue"),
        *("minconn", "observe", "on-error", "on-marked-down", "on-marked-up", "port", "proto", "redir"),
        *(
            "resolve-prefer",
            "resolvers",
            "rise",
            "slowstart",
            "sni",
            "socks4",
            "source",
            "ssl-min-ver",
            "track",
        ),
        *("verify", "verifyhost", "weight", "pool-max-conn", "init-state", "proxy-v2-options", "usesrc"),
    }
)


def servers_as_meant(proxy: Proxy) -> dict[str, dict[str, str]]:
    """By name: `at` (the address as it is written), and each word with its value; times in milliseconds."""
    found: dict[str, dict[str, str]] = {}
    shared: dict[str, str] = {}
    for line in proxy.all("server", "default-server"):
        if line.words[0] == "default-server":
            own = _words(line, 1)
            shared = {**{word: value for word, value in shared.items() if word not in own}, **own}
            continue
        own = _words(line, 3)
        words = {**{word: value for word, value in shared.items() if word not in own}, **own}
        for word in ("check", "ssl"):
            said = [each for each in words if each in {word, f"no-{word}"}]
            if said and said[-1] != word:
                words.pop(word, None)
            words.pop(f"no-{word}", None)
        if "check" not in words:
            words = {
                word: value
                for word, value in words.items()
                if word not in {"inter", "fastinter", "downinter", "rise", "fall", "port"}
            }
        if "ssl" in words:
            words = {"ssl-min-ver": "TLSv1.2", **words}
            words.pop("check-ssl", None)  # it goes without saying, unless the check has a port of its own
        if "resolvers" in words:
            words["resolvers"] = "asked"
        found[line.words[1]] = {
            "at": line.words[2],
            **{word: value for word, value in words.items() if _USUAL_WORDS.get(word) != value},
        }
    return found


def _words(line: Line, begin: int) -> dict[str, str]:
    found = {}
    rest = iter(line.words[begin:])
    for word in rest:
        value = next(rest, "") if word in _VALUED else ""
        found[word] = str(milliseconds(value)) if word in _CHECK_MS else value
    return found
