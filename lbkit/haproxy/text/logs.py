"""What goes where as a log, and what a line for a request says."""

from __future__ import annotations

from lbkit.haproxy.spec.logs import LogTarget
from lbkit.haproxy.spec.words import Mode
from lbkit.haproxy.text.words import Words, endpoint

_JSON_COMMON = (
    '{"time":%Ts.%ms,"client":"%ci","client_port":%cp,"frontend":"%f","backend":"%b","server":"%s",'
    '"ms_queue":%Tw,"ms_connect":%Tc,"ms_total":%Tt,"bytes":%B,"retries":"%rc","end":"%ts"'
)
JSON = {
    "tcp": _JSON_COMMON + "}",
    "http": _JSON_COMMON + ',"ms_response":%Tr,"status":%ST,"method":"%[capture.req.method,json(utf8s)]",'
    '"uri":"%[capture.req.uri,json(utf8s)]"}',
}
"""Log-formats (configuration manual, 8.2.4) that make a line of JSON. A time of -1: it did not come to that."""


def target(log: LogTarget, level: str) -> Words:
    where = endpoint(log.address.address.compressed, log.address.port)
    return "log", where, "len", log.length, "format", log.format, log.facility, log.level or level


def line_format(written: str, mode: Mode) -> Words:
    if written == "standard":
        return "option", "httplog" if mode == "http" else "tcplog"
    if written == "clf":
        return ("option", "httplog", "clf") if mode == "http" else ("option", "tcplog")
    return "log-format", JSON[mode] if written == "json" else written
