"""`add server`: what it must be told, and what it does not take."""

from __future__ import annotations

from collections.abc import Iterable

from lbkit.haproxy.capabilities import Capabilities
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.backend import Backend, is_address, pair
from lbkit.haproxy.transition.server import own_words

_FLAGS = frozenset(
    {
        *(
            "backup",
            "check",
            "no-check",
            "disabled",
            "check-ssl",
            "check-send-proxy",
            "check-via-socks4",
            "agent-check",
        ),
        *("ssl", "no-ssl-reuse", "tfo", "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"),
    }
)
"""Words of a server that take no value; all others take one."""


def why_not_added(of: Backend, name: str) -> str:
    """Empty where the running HAProxy can add it."""
    _, server = pair(name)
    line = written.split(of.section.servers[server])
    words = told([*of.section.defaults, *line[1:]])
    if not of.can.add_server:
        return f"HAProxy {of.running.version} adds servers at a reload alone"
    if not of.dynamic:
        return f"`balance {' '.join(of.was.balance)}` takes it in at a reload alone"
    if refused := _refused(words, of.can):
        return f"HAProxy {of.running.version} takes `{refused}` at a reload alone"
    if own_words(line) and not of.wanted.unread:
        return f"`{own_words(line)[0]}` cannot be read back"
    if not is_address(of.wanted.server(name).address):
        return "its name is looked up at a reload alone"
    return ""


def told(words: Iterable[str]) -> list[str]:
    """What `add server` must be told: a check of its does not speak TLS or PROXY of itself, as one in a file does."""
    told = [word for word in words if word not in {"disabled", "no-check"}]
    if "check" in told:
        if "ssl" in told and "check-ssl" not in told and "port" not in told:
            told.append("check-ssl")
        if (
            {"send-proxy", "send-proxy-v2"} & set(told)
            and "check-send-proxy" not in told
            and "port" not in told
        ):
            told.append("check-send-proxy")
    return told


def _refused(words: Iterable[str], can: Capabilities) -> str:
    """The first keyword that `add server` does not take; "" where it takes all."""
    rest = iter(words)
    for word in rest:
        if word not in can.server_keywords and word != "no-check":
            return word
        if word not in _FLAGS:
            next(rest, None)
    return ""
