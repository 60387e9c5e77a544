"""The rules of a frontend that ask the maps of its routes, and do what they say.

They are the same for all routes of a kind: routes come and go in the maps alone, at run time. The variables are
`txn.host`, `txn.path` and `txn.route` (what a map said); where headers are looked at, `txn.asked0` and so on (what a
request says of each set of them), `txn.fit`, `txn.best` and `txn.length` (prefixes, compared).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from lbkit.haproxy.routing import ANY, Routing, Table, map_path
from lbkit.haproxy.spec.routes import RedirectCode, Reject
from lbkit.haproxy.text.words import Words

_LOOKED_UP = ("{", "var(txn.route)", "-m", "found", "}")
_MATCH = {Table.EXACT: "map_str", Table.REGEX: "map_reg", Table.PREFIX: "map_beg"}  # map_beg: by the longest
_PARENT = "regsub(^[^.]+,*)"  # *. and all but the first label
INSPECT_MS = 5000
_HOSTS = ("var(txn.host)", f"var(txn.host),{_PARENT}", f"str({ANY})")


def routes(frontend: str, routing: Routing, *, default: bool) -> Iterator[Words]:
    """`default`: the frontend has a backend for what no route fits."""
    yield from _host_and_path(paths=routing.paths)
    yield from _headers(routing)
    for host in _HOSTS:
        yield from _of_host(frontend, host, routing)
    if not default:
        yield *_deny(404), "unless", *_LOOKED_UP
    yield from _answers()


def by_sni(frontend: str, *, default: bool) -> Iterator[Words]:
    """In tcp mode.

    A TLS client says first whom it asks for; who says something else goes on at once, who says nothing
    waits.
    """
    yield "tcp-request", "inspect-delay", INSPECT_MS
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
        for name in (f"{asked},lower,rtrim(.)", f"{asked},lower,rtrim(.),{_PARENT}"):
            unknown = ("!{", *_LOOKED_UP[1:])
            yield "tcp-request", "content", "set-var(txn.route)", f"{name},{found}", *when, *unknown
    if not default:
        yield "tcp-request", "content", "reject", "unless", *_LOOKED_UP


def use_backend() -> Words:
    """After all other rules: HAProxy warns of those that follow it."""
    return (
        *("use_backend", "%[var(txn.route),bytes(8)]"),
        *("if", "{", "var(txn.route)", "-m", "beg", "backend:", "}"),
    )


def _host_and_path(*, paths: bool) -> Iterator[Words]:
    """Host and path as the maps have them. What a server might read otherwise than a map is refused with 400."""
    yield _set("txn.host", "req.fhdr(host),host_only,lower,rtrim(.)")
    yield *_set("txn.host", "str(-)"), "unless", "{", "var(txn.host)", "-m", "found", "}"
    yield (
        *_deny(400),
        "if",
        "{",
        "var(txn.host)",
        "-m",
        "sub",
        "/",
        "=",
        "}",
    )  # keys have them before and after it
    if not paths:
        return
    yield _set("txn.path", "path,url_dec,regsub(/+,/,g)")
    # no path: `OPTIONS *`, or a URL that ends with its host
    yield *_set("txn.path", "str(/)"), "unless", "{", "path", "-m", "found", "}"
    yield *_deny(400), "unless", "{", "var(txn.path)", "-m", "found", "}"  # an escape that is none
    yield *_deny(400), "if", "{", "path", "-m", "reg", "-i", "%([01][0-9a-f]|7f)", "}"
    yield *_deny(400), "if", "{", "var(txn.path),concat(/)", "-m", "sub", "/./", "/../", "}"


def _headers(routing: Routing) -> Iterator[Words]:
    """Of each set of headers that a request has whole: how the keys that ask for it begin."""
    for number, names in enumerate(routing.headers):
        asked = f"txn.asked{number}"
        whole = [word for name in names for word in ("{", f"req.fhdr({name})", "-m", "found", "}")]
        for name in names:
            before = f"var({asked}),concat({name}=" if name != names[0] else f"str({name}=),concat("
            yield _set("txn.value", f"req.fhdr({name}),url_enc")
            yield *_set(asked, f"{before},txn.value,;)"), "if", *whole
    if routing.headers:
        yield _set("txn.length", "int(0)")


def _of_host(frontend: str, host: str, routing: Routing) -> Iterator[Words]:
    """The tables in their order; in each the sets of headers, then what asks for none."""
    asked = [f"var(txn.asked{number}),concat(,txn.site)," for number, _ in enumerate(routing.headers)]
    if asked:
        yield _set("txn.site", host)
    path = ",txn.path" if routing.paths else "/"
    for table in routing.tables:
        slash = ",/" if table is Table.PREFIX and routing.paths else ""
        found = f"concat({path}{slash}),{_MATCH[table]}({map_path(frontend, table)})"
        for about in (*asked, f"{host},"):
            if asked and table is Table.PREFIX:
                yield _set("txn.fit", about + found)  # not found: it is as before, and so not longer
                longer = ("{", "var(txn.fit),field(1,:),sub(txn.length)", "-m", "int", "gt", 0, "}")
                yield *_set("txn.best", "var(txn.fit)"), "if", *longer
                yield _set("txn.length", "var(txn.best),field(1,:)")
            else:
                yield *_set("txn.route", about + found), "unless", *_LOOKED_UP
    if asked:
        yield *_set("txn.route", "var(txn.best),regsub(^[0-9]+:,)"), "unless", *_LOOKED_UP


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
    return "http-request", f"set-var({name})", value


def _deny(status: int) -> Words:
    return "http-request", "deny", "deny_status", status
