"""The frontend that answers Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Metrics
from lbkit.haproxy.text.frontend import bind_line
from lbkit.haproxy.text.words import Words


def metrics(section: Metrics) -> Iterator[Words]:
    yield "mode", "http"
    for bind in section.binds:
        yield bind_line(bind)
    yield "no", "log"
    yield "option", "idle-close-on-response"
    yield "http-request", "use-service", "prometheus-exporter", "if", "{", "path", section.path, "}"
    yield "http-request", "deny", "deny_status", 404
