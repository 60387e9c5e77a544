"""The section `frontend`."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Bind, Frontend
from lbkit.haproxy.text.handling import handling, instead
from lbkit.haproxy.text.keepalive import keepalive
from lbkit.haproxy.text.logs import line_format
from lbkit.haproxy.text.process import timeouts
from lbkit.haproxy.text.tls import bind_words
from lbkit.haproxy.text.words import Raw, Words, endpoint


def frontend(section: Frontend) -> Iterator[Words]:
    yield "mode", section.mode
    for bind in section.binds:
        yield bind_line(bind)
    if section.maxconn is not None:
        yield "maxconn", section.maxconn
    yield from timeouts(section.timeouts)
    if section.keepalive is not None:
        yield from keepalive("cli", section.keepalive)
    yield line_format(section.log_format, section.mode)
    if section.mode == "http":
        # A process that is being replaced tells each client to close with its next response. Without this it cuts idle
        # connections at once, and a request that is on its way to it then is lost.
        yield "option", "idle-close-on-response"
    if section.forwarded_for:
        yield "option", "forwardfor"
    yield from ((Raw(line),) for line in section.raw)
    yield from handling(section)
    if section.backend is not None:
        if section.backend in section.stand_ins:
            yield "use_backend", section.stand_ins[section.backend], "if", *instead(section.backend)
        yield "default_backend", section.backend


def bind_line(bind: Bind) -> Words:
    options: Words = ("transparent",) if bind.freebind else ()
    if bind.accept_proxy:
        options += ("accept-proxy",)
    if bind.tls is not None:
        options += bind_words(bind.tls, bind.certificate_list)
    if bind.raw is not None:
        options += tuple(bind.raw.split(" "))
    if bind.address is not None:
        return "bind", endpoint(bind.address.compressed, bind.port), *options
    if bind.both:
        return "bind", f":::{bind.port}", "v4v6", *options
    return "bind", f"*:{bind.port}", *options
