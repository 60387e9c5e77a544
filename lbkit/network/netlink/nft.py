"""nftables by netlink (linux/netfilter/nf_tables.h): tables of one shape written in a transaction, any read back.

The shape is that of a masquerade: one NAT chain at postrouting, whose rules each match a source prefix and an
outgoing link, and masquerade the rest. What is read back is compared with what would be written, byte by
byte, so that a rule that anyone changed is noticed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from lbkit.base.errors import Bug
from lbkit.engine.book import IPNetwork
from lbkit.network.netlink import wire
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.wire import Request, as_text, attribute, attributes, nested, text

_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BEGIN, _END = 16, 17  # NFNL_MSG_BATCH_*
_INET = 1  # NFPROTO_INET
_NEW_TABLE, _GET_TABLE, _DELETE_TABLE, _NEW_CHAIN, _GET_CHAIN, _NEW_RULE, _GET_RULE = 0, 1, 2, 3, 4, 6, 7
_POSTROUTING, _SOURCE_NAT_PRIORITY, _ACCEPT = 4, 100, 1
_META_OUTGOING_NAME, _META_PROTOCOL = 7, 15
_EQUAL, _UNEQUAL = 0, 1
_COMMENT = 0  # NFTNL_UDATA_TABLE_COMMENT: in a table's user data, as nft writes and shows it
_TABLES_AT_ONCE = 50  # a transaction is one message, at most as long as the send buffer

Expression = tuple[str, bytes]
"""Name and attributes of one step of a rule, the attributes as they are on the wire."""


class Masquerade(NamedTuple):
    """Traffic from `prefixes` that leaves by another link than `bridge` gets the host's address."""

    prefixes: tuple[IPNetwork, ...]
    bridge: str


class Table(NamedTuple):
    """`masquerade` is None where the table holds anything else than the one shape: somebody changed it."""

    name: str
    comment: str
    masquerade: Masquerade | None


def write_tables(netlink: Netlink, tables: Iterable[Table]) -> None:
    """Put each table in place, whatever stood under its name: all of a batch or none, and no moment without."""
    wanted = list(tables)
    for first in range(0, len(wanted), _TABLES_AT_ONCE):
        requests = [request for table in wanted[first : first + _TABLES_AT_ONCE] for request in _write(table)]
        netlink.transact(_batch(_BEGIN), requests, _batch(_END))


def delete_tables(netlink: Netlink, names: Sequence[str]) -> None:
    """Gone already: nothing."""
    for first in range(0, len(names), _TABLES_AT_ONCE):
        requests = [request for name in names[first : first + _TABLES_AT_ONCE] for request in _clear(name)]
        netlink.transact(_batch(_BEGIN), requests, _batch(_END))


def read_tables(netlink: Netlink, prefix: str) -> list[Table]:
    """Every table of family inet named `prefix...`; three dumps at least, and one for each such table."""
    comments: dict[str, str] = {}
    for buffer, start, end in netlink.dump(_ask(_GET_TABLE, "tables")):
        found = _split(buffer, start, end)
        name = as_text(found.get(1, b""))
        if name.startswith(prefix):
            comments[name] = _comment(found.get(6, b""))
    if not comments:
        return []
    chains: dict[str, list[tuple[int, bytes]]] = {}
    for buffer, start, end in netlink.dump(_ask(_GET_CHAIN, "chains")):
        found = _split(buffer, start, end)
        chains.setdefault(as_text(found.get(1, b"")), []).append(_chain_shape(found))
    tables = []
    for name, comment in comments.items():
        rules = []
        for buffer, start, end in netlink.dump(_ask(_GET_RULE, f"rules of {name}", text(1, name))):
            found = _split(buffer, start, end)
            if as_text(found.get(1, b"")) == name:
                rules.append(_expressions(found.get(4, b"")))
        shape = _masquerade(rules) if chains.get(name) == [_CHAIN_SHAPE] else None
        tables.append(Table(name, comment, shape))
    return tables


def _batch(kind: int) -> Request:
    # the subsystem of a batch stands in network byte order in what is elsewhere a resource number
    return Request(kind, 0, struct.pack(">BBH", 0, 0, _SUBSYSTEM), "a batch for nftables was to be taken")


def _ask(kind: int, what: str, more: bytes = b"") -> Request:
    return Request(_SUBSYSTEM << 8 | kind, 0, _family() + more, f"nftables' {what} were to be read")


def _family() -> bytes:
    return struct.pack(">BBH", _INET, 0, 0)


def _change(kind: int, flags: int, doing: str, *parts: bytes) -> Request:
    return Request(_SUBSYSTEM << 8 | kind, flags, _family() + b"".join(parts), doing)


def _clear(name: str) -> list[Request]:
    """Make it, whether or not it stands, and delete it: together they succeed in either case."""
    doing = f"table inet {name} was to be deleted"
    return [
        _change(_NEW_TABLE, wire.CREATE, doing, text(1, name)),
        _change(_DELETE_TABLE, 0, doing, text(1, name)),
    ]


def _write(table: Table) -> list[Request]:
    if table.masquerade is None:
        raise Bug(f"table {table.name} was to be written", found="nothing to write into it")
    doing = f"table inet {table.name} was to be written"
    comment = table.comment.encode() + b"\0"
    return [
        *_clear(table.name),
        _change(
            _NEW_TABLE,
            wire.CREATE,
            doing,
            text(1, table.name),
            attribute(6, bytes([_COMMENT, len(comment)]) + comment),
        ),
        _change(
            _NEW_CHAIN,
            wire.CREATE,
            doing,
            text(1, table.name),
            text(3, "postrouting"),
            nested(4, _big(1, _POSTROUTING), _big(2, _SOURCE_NAT_PRIORITY)),
            _big(5, _ACCEPT),
            text(7, "nat"),
        ),
        *(
            _change(
                _NEW_RULE,
                wire.CREATE | wire.APPEND,
                doing,
                text(1, table.name),
                text(2, "postrouting"),
                nested(
                    4,
                    *(
                        nested(1, text(1, name), attribute(2 | 0x8000, body))
                        for name, body in _rule(prefix, table.masquerade.bridge)
                    ),
                ),
            )
            for prefix in table.masquerade.prefixes
        ),
    ]


def _rule(prefix: IPNetwork, bridge: str) -> list[Expression]:
    """`ip saddr PREFIX oifname != BRIDGE masquerade`, in the kernel's steps; register 1 carries each value."""
    family, offset, size = (2, 12, 4) if prefix.version == 4 else (10, 8, 16)
    address, mask = prefix.network_address.packed, prefix.netmask.packed
    return [
        ("meta", _big(1, 1) + _big(2, _META_PROTOCOL)),
        ("cmp", _compare(_EQUAL, bytes([family]))),
        ("payload", _big(1, 1) + _big(2, 1) + _big(3, offset) + _big(4, size)),
        (
            "bitwise",
            _big(1, 1) + _big(2, 1) + _big(3, size) + _value(4, mask) + _value(5, bytes(size)) + _big(6, 0),
        ),
        ("cmp", _compare(_EQUAL, address)),
        ("meta", _big(1, 1) + _big(2, _META_OUTGOING_NAME)),
        ("cmp", _compare(_UNEQUAL, bridge.encode().ljust(16, b"\0"))),
        ("masq", b""),
    ]


def _compare(operation: int, value: bytes) -> bytes:
    return _big(1, 1) + _big(2, operation) + _value(3, value)


def _value(kind: int, value: bytes) -> bytes:
    return nested(kind, attribute(1, value))


def _big(kind: int, value: int) -> bytes:
    """nf_tables has its numbers in network byte order."""
    return attribute(kind, value.to_bytes(4, "big"))


def _split(buffer: bytes, start: int, end: int) -> dict[int, bytes]:
    return {kind: buffer[begin:stop] for kind, begin, stop in attributes(buffer, start + 4, end)}


def _comment(data: bytes) -> str:
    offset = 0
    while offset + 2 <= len(data):
        kind, length = data[offset], data[offset + 1]
        if kind == _COMMENT:
            return as_text(data[offset + 2 : offset + 2 + length])
        offset += 2 + length
    return ""


def _chain_shape(found: dict[int, bytes]) -> tuple[int, bytes]:
    """Its policy, and its hook with its type, flattened."""
    hook = (
        {kind: found[4][begin:stop] for kind, begin, stop in attributes(found[4], 0, len(found[4]))}
        if 4 in found
        else {}
    )
    policy = int.from_bytes(found.get(5, b""), "big")
    return policy, hook.get(1, b"") + hook.get(2, b"") + found.get(7, b"")


_CHAIN_SHAPE = (
    _ACCEPT,
    _POSTROUTING.to_bytes(4, "big") + _SOURCE_NAT_PRIORITY.to_bytes(4, "big") + b"nat\0",
)


def _expressions(data: bytes) -> list[Expression]:
    found = []
    for _, begin, stop in attributes(data, 0, len(data)):
        parts = {kind: data[first:last] for kind, first, last in attributes(data, begin, stop)}
        found.append((as_text(parts.get(1, b"")), _plain(parts.get(2, b""))))
    return found


def _plain(data: bytes) -> bytes:
    """Attributes in the order of their types, the flag "nested" as we set it: that differs between kernels."""
    return b"".join(
        attribute(kind, value)
        for kind, value in sorted(
            (kind, data[begin:stop]) for kind, begin, stop in attributes(data, 0, len(data))
        )
    )


def _masquerade(rules: list[list[Expression]]) -> Masquerade | None:
    """What the rules say, or None where they are not what `_rule` writes."""
    prefixes: list[IPNetwork] = []
    bridges = set()
    for rule in rules:
        read = _prefix_and_bridge(rule)
        if read is None or [(name, _plain(body)) for name, body in _rule(*read)] != rule:
            return None
        prefixes.append(read[0])
        bridges.add(read[1])
    return Masquerade(tuple(prefixes), bridges.pop()) if len(bridges) == 1 else None


def _prefix_and_bridge(rule: list[Expression]) -> tuple[IPNetwork, str] | None:
    """What would have to be written for a rule like this; whether it is like this is for the caller to compare."""
    if [name for name, _ in rule] != [name for name, _ in _rule(IPv4Network("0.0.0.0/0"), "x")]:
        return None
    mask, address, bridge = (_data(rule[3][1], 4), _data(rule[4][1], 3), _data(rule[6][1], 3))
    try:
        length = int.from_bytes(mask, "big").bit_count()
        prefix: IPNetwork = (
            IPv4Network((address, length)) if len(address) == 4 else IPv6Network((address, length))
        )
    except ValueError:
        return None
    return prefix, as_text(bridge)


def _data(body: bytes, wanted: int) -> bytes:
    for kind, begin, stop in attributes(body, 0, len(body)):
        if kind == wanted:
            for inner, first, last in attributes(body, begin, stop):
                if inner == 1:  # NFTA_DATA_VALUE
                    return body[first:last]
    return b""
