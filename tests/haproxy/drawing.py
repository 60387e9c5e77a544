"""Backends and processes of all kinds, as a person writes them, for tests of whatever is made of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lbkit.haproxy.spec.balance import BALANCE, HASHING, OF_HTTP, algorithm_of
from lbkit.haproxy.spec.traffic import RETRIED_STATUS
from tests.health.strategies import documents as checks

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
SECONDS = st.sampled_from(["1ms", "250ms", "1s", "90s", "2h"])
CONNECTIONS = st.integers(1, 10_000)
ADDRESSES = st.one_of(
    st.integers(0x0A000001, 0x0AFFFFFE).map(lambda number: f"10.{number >> 16 & 255}.{number >> 8 & 255}.1"),
    st.integers(1, 0xFFFF).map(lambda number: f"fd00::{number:x}"),
)
ENDPOINTS = st.sampled_from(["192.0.2.5", "192.0.2.5:5140", "fd00::5", "[fd00::5]:5140"])
FLAGS = st.booleans()


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


KEEPALIVE = FLAGS | _some(
    count=st.integers(1, 127), idle=st.sampled_from(["1s", "2h"]), interval=st.integers(1, 32767)
)
INSERTED = st.builds(
    lambda fields, same_site: fields | ({"same_site": same_site, "secure": True} if same_site else {}),
    _some(
        indirect=FLAGS,
        nocache=FLAGS,
        postonly=FLAGS,
        preserve=FLAGS,
        httponly=FLAGS,
        secure=FLAGS,
        domain=st.sampled_from(["example.test", "a.b-c.example"]),
        max_idle=SECONDS,
        max_life=SECONDS,
    ),
    st.sampled_from([None, "strict", "lax", "none"]),
)
COOKIES = st.one_of(
    st.from_regex("[A-Za-z0-9_-]{1,64}", fullmatch=True),
    st.builds(lambda fields: {"name": "SRV", **fields}, INSERTED),
    st.sampled_from(["prefix", "rewrite"]).map(lambda method: {"name": "SRV", "method": method}),
)
PERSIST = st.just("source") | _some(expire=SECONDS, size=st.integers(1, 10_000))
TRIES = st.one_of(
    st.just(["none"]),
    st.lists(
        st.sampled_from(["conn-failure", "empty-response", "response-timeout", *RETRIED_STATUS]),
        min_size=1,
        max_size=4,
        unique=True,
    ),
)


@st.composite
def hashes(draw: st.DrawFn, balance: str) -> dict[str, Any]:
    algorithm, _ = algorithm_of(balance)
    if algorithm == "random":
        return draw(_some(balance_factor=st.integers(101, 10_000)))
    if algorithm not in HASHING:
        return {}
    own: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "uri": {
            "depth": st.integers(1, 1024),
            "length": st.integers(1, 65_535),
            "whole": FLAGS,
            "path_only": FLAGS,
        },
        "url_param": {"check_post": FLAGS},
        "hdr": {"domain_only": FLAGS},
    }
    fields = draw(
        _some(
            type=st.sampled_from(["consistent", "map-based"]),
            function=st.sampled_from(["sdbm", "djb2", "wt6", "crc32"]),
            avalanche=FLAGS,
            balance_factor=st.integers(101, 10_000),
            **own.get(algorithm, {}),
        )
    )
    if fields.get("type") == "map-based":
        fields.pop("balance_factor", None)
    return fields


@st.composite
def servers(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    names = draw(st.lists(LABELS, min_size=1, max_size=4, unique=True))
    for port, name in enumerate(names, start=8000):  # each port once: so no two are the same place
        fields = draw(
            _some(
                weight=st.integers(0, 256),
                backup=FLAGS,
                maxqueue=CONNECTIONS,
                state=st.sampled_from(["ready", "drain", "maintenance"]),
            )
        )
        most = draw(st.none() | CONNECTIONS)
        if most is not None:
            fields |= {"maxconn": most} | draw(_some(minconn=st.integers(1, most)))
        address = draw(ADDRESSES | st.sampled_from(["db.example.test", "a-b.example"]))
        made.append({"name": name, "address": address, "port": port, **fields})
    return made


@st.composite
def backends(draw: st.DrawFn, mode: str) -> dict[str, Any]:
    unfit = ("rdp-cookie",) if mode == "http" else OF_HTTP
    balance = draw(
        st.from_regex(BALANCE, fullmatch=True).filter(lambda each: algorithm_of(each)[0] not in unfit)
    )
    backend = draw(
        _some(
            retries=st.integers(0, 100),
            redispatch=FLAGS,
            full_connections=CONNECTIONS,
            all_backups=FLAGS,
            abort_on_close=FLAGS,
            keepalive=KEEPALIVE,
            slow_start=SECONDS,
            send_proxy=st.sampled_from(["v1", "v2"]),
            shutdown_when_down=FLAGS,
            shutdown_backups_when_up=FLAGS,
            health_check=checks | st.just(False),
        )
    )
    if mode == "http":
        backend |= draw(
            _some(retry_on=TRIES, http_reuse=st.sampled_from(["never", "safe", "aggressive", "always"]))
        )
    kept = draw(st.sampled_from(["cookie", "persist", None] if mode == "http" else ["persist", None]))
    if kept:
        backend[kept] = draw(COOKIES if kept == "cookie" else PERSIST)
    if backend.get("health_check") is not False and draw(FLAGS):
        layers = ["layer4", "layer7"] if mode == "http" else ["layer4"]
        backend["observe"] = draw(st.sampled_from(layers))
        backend |= draw(
            _some(
                error_limit=st.integers(1, 1000),
                on_error=st.sampled_from(["fastinter", "fail-check", "sudden-death", "mark-down"]),
            )
        )
    return backend | {"balance": balance, "hash": draw(hashes(balance)), "servers": draw(servers())}


LOGS = st.builds(
    lambda address, fields: {"address": address, **fields},
    ENDPOINTS,
    _some(
        facility=st.sampled_from(["daemon", "local7", "cron2"]),
        level=st.sampled_from(["err", "info"]),
        format=st.sampled_from(["rfc3164", "rfc5424", "local", "short", "priority", "timed", "iso", "raw"]),
        length=st.integers(80, 65_535),
    ),
)
PROCESSES = _some(
    log=ENDPOINTS | LOGS | st.lists(LOGS, max_size=2),
    peers=FLAGS | st.just({"port": 10_240}),
    metrics=st.just({"bind": 8405}) | st.just({"bind": ["127.0.0.1:8405"], "path": "/a/metrics_b~.-"}),
    tuning=_some(
        threads=st.just(1),
        buffer_size=st.sampled_from([16_384, 32_768, 65_536]),
        rewrite_reserve=st.integers(256, 4096),
        headers=st.integers(16, 32_767),
        spread_checks=st.integers(0, 50),
    ),
)
RESOLVERS = st.builds(
    lambda servers, fields: {"nameservers": servers, **fields},
    # HAProxy connects its sockets while it checks, and warns where no route leads there
    st.lists(st.sampled_from(["127.0.0.53", "127.0.0.1:5353", "::1", "[::1]:5353"]), min_size=1, max_size=3),
    _some(
        retries=st.integers(1, 100),
        timeout=SECONDS,
        interval=SECONDS,
        payload=st.integers(512, 65_535),
        prefer=st.sampled_from(["ipv4", "ipv6"]),
        hold=_some(missing=SECONDS, refused=SECONDS, timeout=SECONDS, other=SECONDS, obsolete=SECONDS),
    ),
)


@st.composite
def balancers(draw: st.DrawFn) -> dict[str, Any]:
    """One load balancer with one frontend, of the machines `lb` (tests/haproxy/topologies.py)."""
    mode = draw(st.sampled_from(["http", "tcp"]))
    names = draw(st.lists(LABELS, min_size=1, max_size=3, unique=True))
    frontend = draw(
        _some(log_format=st.sampled_from(["standard", "clf", "json", "%ci %ft %b"]), keepalive=KEEPALIVE)
    )
    return {
        "machines": "lb",
        "frontends": {"front": {"bind": 80, "mode": mode, "backend": names[0], **frontend}},
        "backends": {name: draw(backends(mode)) | {"mode": mode} for name in names},
        "resolvers": draw(RESOLVERS),
        **draw(PROCESSES),
    }
