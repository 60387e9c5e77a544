"""One client reads one generation of a mirror: which serial it got is remembered, and asked for from then on.

A node says which it served (`Lbkit-Serial` in its answer). A connection remembers that, and a table by the client's address, for
its next connection, each with the time when it got it first: after a session's time it is passed over, as an address or a
connection that many share would be kept at a generation for ever. What a client says itself in that header is dropped.

The variables are `txn.known` (what the table had when the request came), `txn.asked` (the serial that is asked for, or 0),
`txn.served` (what the answer is of; 0 to forget) and `txn.now` (what the table has when the answer comes); `sess.NAME` and
`sess.NAME_since` are the connection's.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.sections import Backend, Serials
from lbkit.haproxy.spec.words import PEERS
from lbkit.haproxy.text.words import Words

HEADER = "Lbkit-Serial"
IDLE = 120  # seconds without a request, until an address is forgotten
_CLIENTS = 100_000
_SERIAL, _SINCE = 0, 1  # the tags of an entry
_SERVED = ("{", "var(txn.served)", "-m", "found", "}")
_UNTOUCHED = ("{", "var(txn.now),sub(txn.known)", "-m", "int", 0, "}")
"""Of answers that come at the same time, the first is what the client reads on from."""
_SAME = ("var(txn.served),sub(txn.asked)", "-m", "int", 0, "}")


def table(backend: str, serials: Serials) -> Words:
    """A line of the section `peers`: so members tell each other, and a process its successor."""
    return (
        *("table", _own_name(backend), "type", "ipv6", "size", _CLIENTS),
        *("expire", 1000 * min(IDLE, serials.session), "store", "gpt(2)"),
    )


def rules(section: Backend) -> Iterator[Words]:
    if section.serials is None:
        if section.unpinned:
            yield "http-request", "del-header", HEADER
        return
    counter, session = section.serials.counter, section.serials.session
    own = f"sess.{section.name.replace('-', '_')}"
    yield "http-request", "del-header", HEADER
    # who has an IPv6 address has the other 2^64 of its network, too
    yield (
        *("http-request", f"track-sc{counter}", "src,ipmask(32,64)"),
        *("table", f"{PEERS}/{_own_name(section.name)}"),
    )
    yield "http-request", "set-var(txn.known)", f"sc_get_gpt({_SERIAL},{counter})"
    yield "http-request", "set-var(txn.since)", f"sc_get_gpt({_SINCE},{counter})"
    yield "http-request", "set-var(txn.asked)", "int(0)"
    for serial, since in (("txn.known", "txn.since"), (own, f"{own}_since")):
        young = ("{", f"date,sub({since})", "-m", "int", "lt", session, "}")
        remembered = ("{", f"var({serial})", "-m", "int", "gt", 0, "}")
        yield "http-request", "set-var(txn.asked)", f"var({serial})", "if", *remembered, *young
    asks = ("{", "var(txn.asked)", "-m", "int", "gt", 0, "}")
    yield "http-request", "set-header", HEADER, "%[var(txn.asked)]", "if", *asks
    said = ("{", f"res.fhdr({HEADER})", "-m", "int", "1:4294967295", "}")
    yield "http-response", "set-var(txn.served)", f"res.fhdr({HEADER}),add(0)", "if", *said
    # nobody has it any more: the next request takes what there is
    yield "http-response", "set-var(txn.served)", "int(0)", "if", "{", "status", 503, "}"
    yield "http-response", "set-var(txn.now)", f"sc_get_gpt({_SERIAL},{counter})"
    moved = (*_SERVED, *_UNTOUCHED, "!{", *_SAME)
    yield "http-response", f"sc-set-gpt({_SINCE},{counter})", "date", "if", *moved
    yield "http-response", f"sc-set-gpt({_SERIAL},{counter})", "var(txn.served)", "if", *moved
    fresh = (*_SERVED, "!{", *_SAME, "or", *_SERVED, "!{", f"var({own})", "-m", "found", "}")
    yield "http-response", f"set-var({own}_since)", "date", "if", *fresh
    yield "http-response", f"set-var({own})", "var(txn.served)", "if", *fresh


def _own_name(backend: str) -> str:
    return f"{backend}.serial"
