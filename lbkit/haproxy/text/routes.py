"""The rules of a frontend that ask the maps of its routes, and do what they say.

They are the same for all routes of a kind: routes come and go in the maps alone, at run time. The variables are
`txn.host`, `txn.path` and `txn.route` (what a map said).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from lbkit.haproxy.routing import ANY, Routing, Table, map_path
from lbkit.haproxy.spec.routes import RedirectCode, Reject
from lbkit.haproxy.text.words import Words

_LOOKED_UP = ("{", "var(txn.route)", "-m", "found", "}")
_MATCH = {Table.EXACT: "map_str", Table.REGEX: "map_reg", Table.PREFIX: "map_beg"}  # map_beg: by the longest
_HOSTS = ("var(txn.host)", "var(txn.host),regsub(^[^.]+,*)", f"str({ANY})")


def routes(frontend: str, routing: Routing, *, default: bool) -> Iterator[Words]:
    """`default`: the frontend has a backend for what no route fits."""
    if Table.SNI in routing.tables:
        yield from _sni(frontend)
        if not default:
            yield "tcp-request", "content", "reject", "unless", *_LOOKED_UP
    else:
        yield from _names(paths=routing.paths)
        for host in _HOSTS:
            for table in routing.tables:
                yield _lookup(frontend, host, table, paths=routing.paths)
        if not default:
            yield *_deny(404), "unless", *_LOOKED_UP
        yield from _answers()
    yield (
        "use_backend",
        "%[var(txn.route),bytes(8)]",
        "if",
        "{",
        "var(txn.route)",
        "-m",
        "beg",
        "backend:",
        "}",
    )


def _names(*, paths: bool) -> Iterator[Words]:
    """Host and path as the maps have them. What a server might read otherwise than a map is refused with 400."""
    yield _set("host", "req.fhdr(host),host_only,lower,rtrim(.)")
    yield *_set("host", "str(-)"), "unless", "{", "var(txn.host)", "-m", "found", "}"
    if not paths:
        return
    yield _set("path", "path,url_dec,regsub(/+,/,g)")
    # no path: `OPTIONS *`, or a URL that ends with its host
    yield *_set("path", "str(/)"), "unless", "{", "path", "-m", "found", "}"
    yield *_deny(400), "unless", "{", "var(txn.path)", "-m", "found", "}"  # an escape that is none
    yield *_deny(400), "if", "{", "path", "-m", "reg", "-i", "%([01][0-9a-f]|7f)", "}"
    yield *_deny(400), "if", "{", "var(txn.path),concat(/)", "-m", "sub", "/./", "/../", "}"
    yield *_deny(400), "if", "{", "var(txn.host)", "-m", "sub", "/", "}"


def _lookup(frontend: str, host: str, table: Table, *, paths: bool) -> Words:
    path = f"concat({'/' if not paths else ''}" + (",txn.path" if paths else "")
    end = ",/)" if table is Table.PREFIX and paths else ")"
    found = f"{host},{path}{end},{_MATCH[table]}({map_path(frontend, table)})"
    return *_set("route", found), "unless", *_LOOKED_UP


def _sni(frontend: str) -> Iterator[Words]:
    """A TLS client says first whom it asks for; who says something else goes on at once, who says nothing waits."""
    yield "tcp-request", "inspect-delay", 5000
    found = f"map_str({map_path(frontend, Table.SNI)})"
    passed = (
        "if",
        "!{",
        "ssl_fc",
        "}",
        "{",
        "req.ssl_hello_type",
        1,
        "}",
    )  # the condition waits for the hello
    ended = ("if", "{", "ssl_fc", "}")
    for asked, when in (("req.ssl_sni", passed), ("ssl_fc_sni", ended)):
        for name in (f"{asked},lower", f"{asked},lower,regsub(^[^.]+,*)"):
            unknown = ("!{", *_LOOKED_UP[1:])
            yield "tcp-request", "content", "set-var(txn.route)", f"{name},{found}", *when, *unknown


def _answers() -> Iterator[Words]:
    for status in get_args(Reject):
        yield *_deny(status), "if", "{", "var(txn.route)", "-m", "str", f"reject:{status}", "}"
    for code in get_args(RedirectCode):
        for how, word in (("to", "location"), ("keep", "prefix")):
            begin = f"{how}:{code}:"
            to = f"%[var(txn.route),bytes({len(begin)})]"
            yield (
                "http-request",
                "redirect",
                word,
                to,
                "code",
                code,
                "if",
                "{",
                "var(txn.route)",
                "-m",
                "beg",
                begin,
                "}",
            )


def _set(name: str, value: str) -> Words:
    return "http-request", f"set-var(txn.{name})", value


def _deny(status: int) -> Words:
    return "http-request", "deny", "deny_status", status
