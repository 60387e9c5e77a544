"""What a version of HAProxy can do to the process that runs: the planner asks here what needs a reload.

Each statement is tried on real HAProxy 2.6 and 3.0, that it is possible and that it is not (docs/haproxy-capabilities.md
has them as a table). A version between two that were tried is taken for the older one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST_COMMAND = 16_000
"""Bytes of one command with its payload, where tune.bufsize is the default. HAProxy takes 16,380. Of more, 2.6 says
nothing, as if it were done, and does nothing (or waits for ever); 3.0 refuses it."""

_SERVER_KEYWORDS = frozenset(
    {
        *(
            "weight",
            "maxconn",
            "minconn",
            "maxqueue",
            "backup",
            "disabled",
            "id",
            "track",
            "source",
            "proto",
            "ws",
        ),
        *("check", "inter", "fastinter", "downinter", "rise", "fall", "addr", "port"),
        *("check-ssl", "check-sni", "check-alpn", "check-proto", "check-send-proxy", "check-via-socks4"),
        *("agent-check", "agent-addr", "agent-port", "agent-inter", "agent-send"),
        *("slowstart", "observe", "on-error", "error-limit", "on-marked-down", "on-marked-up"),
        *("ssl", "verify", "verifyhost", "ca-file", "crl-file", "crt", "sni", "alpn", "npn"),
        *(
            "ciphers",
            "ciphersuites",
            "ssl-min-ver",
            "ssl-max-ver",
            "no-ssl-reuse",
            "no-tls-tickets",
            "allow-0rtt",
        ),
        *("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "proxy-v2-options"),
        *("pool-max-conn", "pool-low-conn", "pool-purge-delay", "tfo"),
    }
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one version can do without a reload.

    `server_keywords`: what `add server` takes; empty where there is no such command. It does not look at
    `default-server`, and a check says for itself that it speaks TLS (`check-ssl`) or the PROXY protocol
    (`check-send-proxy`): without these, a server's check is plain TCP whatever the server is.
    `balance`: algorithms by which a backend takes new servers and any weight; `balance_consistent`: those that do
    so where `hash-type` is consistent. By all others, weights are 0 % or 100 %.
    `delete_server`: from the configuration's file too, once it is in maintenance and has no request.
    `wait_removable`: `wait TIME srv-removable` says when that is so.
    `patterns`: a map or an ACL list is replaced at once, by versions (`prepare`, `add`, `commit`).
    `crt_list`: certificates are replaced, and come to and go from crt-lists. `ca_file`: CA files too, where a bind or a
    crt-list names them; for servers without a `crt`, HAProxy says that it did, and did not. `ca_file_parts`: in more
    than one command (`add ssl ca-file`), for those that are longer than one may be.
    `reload_says`: the master's `reload` answers when it is over, with its success and what was logged.
    """

    server_keywords: frozenset[str] = frozenset()
    balance: frozenset[str] = frozenset()
    balance_consistent: frozenset[str] = frozenset()
    delete_server: bool = False
    wait_removable: bool = False
    patterns: bool = False
    crt_list: bool = False
    ca_file: bool = False
    ca_file_parts: bool = False
    reload_says: bool = False

    @property
    def add_server(self) -> bool:
        return bool(self.server_keywords)

    def is_dynamic(self, balance: str, *, consistent: bool) -> bool:
        """Whether a backend takes servers and weights while it runs. `balance` as it is written: "hdr(host)"."""
        algorithm = balance.partition("(")[0].partition(" ")[0]
        return algorithm in self.balance or (consistent and algorithm in self.balance_consistent)


NONE = Capabilities()
"""Of a version that is older than all that were tried: whatever changes, it is reloaded."""

_2_6 = Capabilities(
    server_keywords=_SERVER_KEYWORDS,
    balance=frozenset({"roundrobin", "leastconn", "first", "random"}),
    balance_consistent=frozenset({"source", "uri", "hdr", "url_param", "rdp-cookie", "hash"}),
    delete_server=True,
    patterns=True,
    crt_list=True,
    ca_file=True,
)
_3_0 = Capabilities(
    server_keywords=_2_6.server_keywords
    | {"cookie", "guid", "hash-key", "shard", "set-proxy-v2-tlv-fmt", "curves", "sigalgs", "client-sigalgs"},
    balance=_2_6.balance,
    balance_consistent=_2_6.balance_consistent,
    delete_server=True,
    wait_removable=True,
    patterns=True,
    crt_list=True,
    ca_file=True,
    ca_file_parts=True,
    reload_says=True,
)
_TRIED = {(2, 6): _2_6, (3, 0): _3_0}


@lru_cache(maxsize=64)
def of(version: str) -> Capabilities:
    """What the process can that says it is `version` ("2.6.12-1+deb12u4", `show info`). Unreadable: nothing."""
    match = re.match(r"(\d+)\.(\d+)", version, re.ASCII)
    if match is None:
        return NONE
    number = int(match[1]), int(match[2])
    known = [tried for tried in _TRIED if tried <= number]
    return _TRIED[max(known)] if known else NONE
