"""Health checks: the words of servers, and the lines that say what is a good answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.fitting import misfit_of
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.servers import AGENT, CHECK, Server, most_common
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import duration, milliseconds, whole
from lbkit.health.spec import HealthCheck

LINES = (
    "http-check",
    "tcp-check",
    "external-check",
    *(f"option {kind}-check" for kind in ("external", "ldap", "mysql", "pgsql", "redis", "spop", "tcp")),
    "option httpchk",
    "option smtpchk",
    "option ssl-hello-chk",
)
_USUAL_MS = 2000
_TIMES = {"inter": "interval", "fastinter": "interval_changing", "downinter": "interval_down"}
_METHODS = {"GET", "HEAD", "OPTIONS", "POST"}


def health_check(proxy: Proxy, found: Sequence[Server], report: Report) -> dict[str, Any] | Literal[False]:
    """The key. Takes from servers the words that it says."""
    if not any("check" in server.words for server in found):
        return False
    common = most_common(found, CHECK + AGENT)
    data = _of_words(common)
    if data is None:
        common, data = {}, {}
    timeout = proxy.last("timeout check")
    ms = milliseconds(timeout.word(2)) if timeout is not None else None
    if ms is None:
        ms = milliseconds(common.get("inter", "")) or _USUAL_MS
        report.note(
            "no `timeout check`: a server has `inter` to answer; lbkit does not count connecting into it"
        )
    if ms > 0:
        data["timeout"] = duration(ms)
        proxy.take("timeout check")
        for line in proxy.all("timeout check"):
            report.carried(line, proxy.title, "health_check.timeout")
    answer = _answer(proxy)
    if answer is not None:
        data |= answer
        for line in proxy.all("option httpchk", "http-check"):
            proxy.taken.add(line.number)
            report.carried(line, proxy.title, "health_check")
        report.note("health checks by HTTP have the header `User-Agent: lbkit`")
    elif proxy.all(*LINES):
        report.note(
            "where lines of `raw` say what a health check asks, lbkit's own probes (before a start or a reload, and in "
            "`explain`) try a connection alone"
        )
    if misfit_of(HealthCheck, data):
        data, common = {}, {}
    for server in found:
        _difference(server, common)
    return _short(data)


def _of_words(words: dict[str, str]) -> dict[str, Any] | None:
    """None where the language has no such check."""
    data: dict[str, Any] = {}
    for word, key in _TIMES.items():
        if word in words:
            ms = milliseconds(words[word])
            if not ms:
                return None
            data[key] = duration(ms)
    for word in ("rise", "fall", "port"):
        if word in words:
            data[word] = whole(words[word])
    if "check-ssl" in words:
        data["protocol"] = "tls"
    if "check-sni" in words:
        data["server_name"] = words["check-sni"]
    if "check-send-proxy" in words:
        data["proxy_protocol"] = True
    if "agent-check" in words:
        agent: dict[str, Any] = {"port": whole(words.get("agent-port", ""))}
        ms = milliseconds(words.get("agent-inter", "2s"))
        agent["interval"] = duration(ms) if ms else None
        if words.get("agent-send"):
            if not words["agent-send"].endswith("\n"):
                return None
            agent["send"] = words["agent-send"][:-1]
        data["agent"] = agent
    return None if misfit_of(HealthCheck, data) else data


def _difference(server: Server, common: dict[str, str]) -> None:
    """Its words become those that say what is not as in the others."""
    if "check" not in server.words:
        server.take(*CHECK)
        return
    server.checked = True
    server.take("check")
    for word in CHECK + AGENT:
        if server.words.get(word) == common.get(word):
            server.take(word)
        elif word in common and word not in server.words:
            server.lost.append(f"(no {word})")
            if word in _TIMES:
                server.words[word] = server.words.get("inter", str(_USUAL_MS))
                server.lost.pop()
            elif word in {"rise", "fall"}:
                server.words[word] = {"rise": "2", "fall": "3"}[word]
                server.lost.pop()


def _answer(proxy: Proxy) -> dict[str, Any] | None:
    """HTTP's, where it is asked as lbkit asks: by HTTP/1.1, with a Host header, and judged as lbkit judges."""
    option = proxy.last("option httpchk")
    others = [line for line in proxy.all(*LINES) if line.keyword not in {"option httpchk", "http-check"}]
    if option is None or option.negated or others or any(line.variables for line in proxy.all(*LINES)):
        return None
    asked = _asked(option, [line for line in proxy.all("http-check") if line.word(1) == "send"])
    rest = [line for line in proxy.all("http-check") if line.word(1) != "send"]
    expect: dict[str, Any] = {}
    for line in rest:
        words = line.words
        if len(words) != 4 or words[1] != "expect" or expect:
            return None
        if words[2] == "status":
            expect = {"status": words[3].split(",")}
        elif words[2] in {"string", "rstring"}:
            return None  # without a word of the status; lbkit says one as well
        else:
            return None
    if asked is None:
        return None
    return {"protocol": "http", **asked, **({"expect": expect} if expect else {})}


def _asked(option: Line, sends: Sequence[Line]) -> dict[str, Any] | None:
    words = list(option.words[2:])
    found: dict[str, Any] = {"method": "OPTIONS", "path": "/"}
    version = ""
    if len(words) == 1:
        found["path"] = words[0]
    elif len(words) >= 2:
        found["method"], found["path"] = words[:2]
        version = words[2] if len(words) == 3 else ""
    if len(sends) > 1 or len(words) > 3:
        return None
    headers: dict[str, str] = {}
    rest = iter(sends[0].words[2:] if sends else ())
    for word in rest:
        value = next(rest, "")
        if word == "meth":
            found["method"] = value
        elif word == "uri":
            found["path"] = value
        elif word == "ver":
            version = value
        elif word == "hdr":
            if value.lower() in {name.lower() for name in headers}:
                return None
            text = next(rest, "")
            if "%" in text.replace("%%", ""):
                return None
            headers[value] = text.replace("%%", "%")
        else:
            return None
    host = next((headers.pop(name) for name in list(headers) if name.lower() == "host"), None)
    if version != "HTTP/1.1" or host is None or found["method"] not in _METHODS:
        return None
    return {**found, "host": host, **({"headers": headers} if headers else {})}


def _short(data: dict[str, Any]) -> dict[str, Any]:
    """Without what is the default, and the protocol first."""
    if data.get("protocol") == "http" and data.get("server_name") is None:
        data = {"protocol": data["protocol"], **data}
    usual = {"interval": "2s", "rise": 2, "fall": 3, "timeout": "1s", "method": "GET", "path": "/"}
    return {key: value for key, value in data.items() if usual.get(key) != value} or {"protocol": "tcp"}
