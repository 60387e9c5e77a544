"""What a frontend does with what comes in, in the order in which it is done."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Frontend
from lbkit.haproxy.routing import Routing
from lbkit.haproxy.spec.compression import Compression
from lbkit.haproxy.spec.https import HttpsRedirect
from lbkit.haproxy.text import access, headers
from lbkit.haproxy.text.limits import limits
from lbkit.haproxy.text.routes import by_sni, routes, use_backend
from lbkit.haproxy.text.words import Words


def handling(section: Frontend) -> Iterator[Words]:
    do = section.handling
    if do.connections_per_second is not None:
        yield "rate-limit", "sessions", do.connections_per_second
    yield from access.connections(section)
    if section.mode == "http":
        yield from _requests(section)
    elif do.routes is not None:
        yield from by_sni(section.name, default=section.backend is not None)
    if do.routes is not None:
        yield use_backend()


def instead(backend: str) -> Words:
    """When another stands in for it: none of its servers may be used.

    To a process that a reload has replaced 2.6 says so of every backend, whose servers serve on.
    """
    return "{", f"nbsrv({backend})", "eq", 0, "}", "!{", "stopping", "}"


def _requests(section: Frontend) -> Iterator[Words]:
    do = section.handling
    yield from access.requests(section)
    yield from limits(section)
    if do.https_redirect is not None:
        yield from _to_https(do.https_redirect)
    if do.routes is not None:
        routing = Routing.of(do.routes, section.mode)
        yield from routes(section.name, routing, default=section.backend is not None)
        for name, other in section.stand_ins.items():
            routed = ("{", "var(txn.route)", "-m", "str", f"backend:{name}", "}")
            yield "http-request", "set-var(txn.route)", f"str(backend:{other})", "if", *routed, *instead(name)
    yield from headers.requests(section)
    yield from headers.responses(section)
    if do.compression is not None:
        yield from _compression(do.compression)


def _to_https(redirect: HttpsRedirect) -> Iterator[Words]:
    port = f":{redirect.port}" if redirect.port != 443 else ""
    plain = ("if", "!{", "ssl_fc", "}")
    named = ("{", "req.fhdr(host),host_only", "-m", "len", "gt", 0, "}")
    prefix = f"https://%[req.fhdr(host),host_only]{port}"
    yield "http-request", "redirect", "prefix", prefix, "code", redirect.code, *plain, *named
    yield "http-request", "deny", "deny_status", 400, *plain  # nobody knows where to


def _compression(compression: Compression) -> Iterator[Words]:
    yield "compression", "algo", *compression.algorithms
    yield "compression", "type", *compression.types
