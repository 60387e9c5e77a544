"""From any servers to any list of them: what is planned, carried out, leaves nothing to plan. And what cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.haproxy.direct.backend import backend_way
from lbkit.haproxy.direct.looking import Seen
from lbkit.haproxy.direct.server import server_way
from lbkit.haproxy.direct.wanted import ListedServer, WantedBackend, WantedServer
from lbkit.haproxy.runtime.servers_state import Admin, Check, CheckResult, OpState, ServerState
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.steps import Do, Step

ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"])
STATES = st.sampled_from(["ready", "drain", "maint"])
NAMES = st.sampled_from("abcdef")
SERVERS = st.builds(
    Server,
    ADDRESSES,
    st.integers(1, 3),
    weight=st.integers(0, 3),
    maxconn=st.integers(0, 2),
    admin=STATES,
    checked=st.booleans(),
    unproven=st.booleans(),
)


def or_none(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


LISTED = st.builds(
    ListedServer,
    NAMES,
    ADDRESSES,
    st.integers(1, 3),
    weight=or_none(st.integers(0, 3)),
    maxconn=or_none(st.integers(0, 2)),
    state=or_none(STATES),
    check=or_none(st.booleans()),
    options=st.sampled_from([(), ("inter 1s", "rise 3"), ("backup",)]),
)
LISTS = st.lists(LISTED, max_size=5, unique_by=lambda server: server.name).map(tuple)


def seen_of(servers: dict[str, Server], tracks: dict[str, str] | None = None) -> Seen:
    """`servers` by name."""
    named = {f"web/{name}": server for name, server in servers.items()}
    states = {name: state_of(name, server) for name, server in named.items()}
    tracks = {f"web/{name}": f"web/{other}" for name, other in (tracks or {}).items()}
    return Seen(
        "3.0.1",
        "web",
        "roundrobin",
        named,
        states,
        dict.fromkeys(named, 0),
        tracks,
        frozenset(tracks.values()),
    )


def state_of(name: str, server: Server) -> ServerState:
    check = Check.CONFIGURED | (Check.ENABLED if server.checked else Check.NONE)
    own, weight = name.partition("/")[2], server.weight or 0
    op, result = OpState.RUNNING, CheckResult.PASSED
    return ServerState(
        "web", own, server.address, server.port, op, Admin.NONE, weight, 10, 0, 6, result, 3, check, Check.NONE,
        "", False, 0, "", "", 0, 1,
    )  # fmt: skip


def carried_out(seen: Seen, steps: Sequence[Step]) -> Seen:
    """What HAProxy has after the commands: as it does them, and nothing else."""
    servers = {name.partition("/")[2]: server for name, server in seen.servers.items()}
    for step in steps:
        for command in step.commands if isinstance(step, Do) else ():
            match = re.fullmatch(
                r"(add|del|set|enable|disable|shutdown)(?: \w+)* (?:server |health )?web/(\w)(?: (.*))?",
                command.line,
            )
            assert match, command
            _do(servers, command.line, match[1], match[2], (match[3] or "").split())
    backward = {name.partition("/")[2]: other.partition("/")[2] for name, other in seen.tracks.items()}
    return seen_of(servers, {name: other for name, other in backward.items() if name in servers})


def _do(servers: dict[str, Server], line: str, verb: str, name: str, words: list[str]) -> None:
    if verb == "add":
        line_server = Server.of_line(words, ())
        servers[name] = line_server.with_(admin="maint", checked=False)
        return
    have = servers[name]
    if verb == "del":
        assert have.admin == "maint"
        del servers[name]
    elif verb in {"enable", "disable"}:
        servers[name] = have.with_(checked=verb == "enable")
    elif line.startswith("set maxconn"):
        servers[name] = have.with_(maxconn=int(words[0]))
    elif verb == "set" and words[0] == "weight":
        servers[name] = have.with_(weight=int(words[1]))
    elif verb == "set" and words[0] == "state":
        servers[name] = have.with_(admin=words[1], unproven=False)
    elif verb == "set" and words[0] == "addr":
        servers[name] = have.with_(address=words[1], port=int(words[3]))
    else:
        assert line.startswith("shutdown sessions") or words[0] == "health", line


@given(st.dictionaries(NAMES, SERVERS, max_size=5), LISTS, st.booleans())
def test_what_is_carried_out_is_as_wanted(
    servers: dict[str, Server],
    listed: tuple[ListedServer, ...],
    exclusive: bool,  # noqa: FBT001
) -> None:
    wanted = WantedBackend("web", listed, exclusive=exclusive)
    before = seen_of(servers)
    found = backend_way(wanted, before, "")
    after = carried_out(before, found.steps)
    assert not backend_way(wanted, after, "").changes
    for server in listed:
        have = after.servers[f"web/{server.name}"]
        was = before.servers.get(f"web/{server.name}")
        assert (have.address, have.port) == (server.address, server.port)
        for value, now, then in (
            (server.weight, have.weight, was.weight if was else 1),
            (server.maxconn, have.maxconn, was.maxconn if was else 0),
            (server.state, have.admin, was.admin if was else "ready"),
            (server.check, have.checked, was.checked if was else False),
        ):
            assert now == (then if value is None else value)
    others = set(before.servers) - {f"web/{server.name}" for server in listed}
    assert {name: after.servers.get(name) for name in others} == {
        name: None if exclusive else before.servers[name] for name in others
    }
    told = {line for change in found.changes for line in change.steps}
    assert {str(command) for step in found.steps if isinstance(step, Do) for command in step.commands} <= told
    for change in found.changes:
        name = change.key.name
        assert all("web/" not in line or name in line for line in change.steps)
        assert (change.before is None, change.after is None) == (
            name not in before.servers,
            name not in after.servers,
        )


@given(
    st.dictionaries(NAMES, SERVERS, min_size=1, max_size=4),
    or_none(STATES),
    or_none(st.integers(0, 256) | st.just("50%")),
    or_none(ADDRESSES),
    st.booleans(),
)
def test_one_server_is_as_wanted_and_the_others_as_they_were(
    servers: dict[str, Server],
    state: Any,
    weight: int | str | None,
    address: str | None,
    wait: bool,  # noqa: FBT001
) -> None:
    name = min(servers)
    wanted = WantedServer(
        "web", name, state, weight, address, wait_for_drain=wait and state in {"drain", "maint"}
    )
    before = seen_of(servers)
    found = server_way(wanted, before, "")
    after = carried_out(before, found.steps)
    assert not server_way(wanted, after, "").changes
    assert len(found.changes) <= 1
    have, was = after.servers[f"web/{name}"], before.servers[f"web/{name}"]
    assert have.admin == (state or was.admin)
    assert have.weight == (was.weight if weight is None else 5 if weight == "50%" else weight)
    assert have.address == (address or was.address)
    assert {other: server for other, server in after.servers.items() if other != f"web/{name}"} == {
        other: server for other, server in before.servers.items() if other != f"web/{name}"
    }


def test_who_is_tracked_and_who_tracks_it_go_to_maintenance_and_stay() -> None:
    ready = Server("10.0.0.1", 1)
    before = seen_of({"a": ready, "b": ready, "c": ready}, {"b": "a"})
    wanted = WantedBackend("web", (), exclusive=True)
    found = backend_way(wanted, before, "")
    assert [str(change) for change in found.changes] == [
        "update server web/a",
        "update server web/b",
        "delete server web/c",
    ]
    assert "others track its checks" in found.notes[0]
    assert "it tracks web/a" in found.notes[1]
    after = carried_out(before, found.steps)
    assert not backend_way(wanted, after, "").changes
    kept = WantedBackend("web", (ListedServer("a", "10.0.0.1", 1),), exclusive=True)
    assert {str(change) for change in backend_way(kept, before, "").changes} == {
        "delete server web/b",
        "delete server web/c",
    }


def test_a_drain_that_is_left_in_maintenance_is_a_drain() -> None:
    wanted = WantedServer("web", "a", "drain", wait_for_drain=True, on_deadline="maint")
    drained = Server("10.0.0.1", 1, admin="drain")
    busy = replace(seen_of({"a": drained}), sessions={"web/a": 2})
    (change,) = server_way(wanted, busy, "").changes
    assert change.steps[-1] == "put it in maintenance where sessions are left"
    assert not server_way(wanted, busy, "", waited=True).changes
    assert not server_way(wanted, seen_of({"a": drained}), "").changes
    assert not server_way(wanted, seen_of({"a": drained.with_(admin="maint")}), "").changes


def test_the_impact_is_disruptive_where_nobody_serves_afterwards() -> None:
    ready = Server("10.0.0.1", 1)
    two = seen_of({"a": ready, "b": ready})
    assert [change.impact for change in server_way(WantedServer("web", "a", "maint"), two, "").changes] == [
        "hitless"
    ]
    gone = backend_way(WantedBackend("web", (), exclusive=True), two, "")
    assert {change.impact for change in gone.changes} == {"disruptive"}
    alone = server_way(
        WantedServer("web", "a", address="10.0.0.9"), seen_of({"a": ready.with_(checked=True)}), ""
    )
    assert [change.impact for change in alone.changes] == ["disruptive"]
    assert "nobody asks its new address before" in alone.notes[0]


def test_what_only_a_reload_does_is_refused_with_its_reason() -> None:
    wanted = WantedBackend("web", (ListedServer("a", "10.0.0.1", 1, options=("resolvers r",)),))
    with pytest.raises(Mistake, match="takes `resolvers` at a reload alone"):
        backend_way(wanted, seen_of({}), "")
    fixed = replace(seen_of({}), algorithm="static-rr")
    with pytest.raises(Mistake, match="`balance static-rr` takes it in at a reload alone"):
        backend_way(WantedBackend("web", (ListedServer("a", "10.0.0.1", 1),)), fixed, "")
    old = replace(seen_of({"a": Server("10.0.0.1", 1)}), version="2.4.1")
    found = backend_way(WantedBackend("web", (), exclusive=True), old, "")
    assert [change.after["state"] for change in found.changes if change.after] == ["maint"]
    assert "HAProxy 2.4.1 removes none" in found.notes[0]


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (ListedServer("a b", "10.0.0.1", 1), "name 'a b'"),
        (ListedServer("a\n", "10.0.0.1", 1), "letters, digits"),
        (ListedServer("a", "web.example.org", 1), "names are looked up at a reload alone"),
        (ListedServer("a", "fe80::1%eth0", 1), "address"),
        (ListedServer("a", "10.0.0.1", 65536), "port 65536, where it is from 1 to 65535"),
        (ListedServer("a", "10.0.0.1", 1, weight=999), "weight 999, where it is from 0 to 256"),
        (ListedServer("a", "10.0.0.1", 1, maxconn=-1), "maxconn -1"),
        (ListedServer("a", "10.0.0.1", 1, options=("inter 2s; quit",)), "no word of a server"),
        (ListedServer("a", "10.0.0.1", 1, options=("weight 3",)), "an option of its own"),
    ],
)
def test_a_server_that_cannot_be_is_a_mistake(server: ListedServer, words: str) -> None:
    with pytest.raises(Mistake, match=re.escape(words)):
        WantedBackend("web", (server,))


def test_all_mistakes_are_told_at_once() -> None:
    servers = (ListedServer("a", "x", 0), ListedServer("a", "10.0.0.1", 1))
    with pytest.raises(Mistake) as caught:
        WantedBackend("we b", servers, drain_timeout=-1)
    assert caught.value.found.count(";") == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"weight": "999"},
        {"weight": "x"},
        {"weight": True},
        {"port": 0},
        {"address": "h"},
        {"wait_for_drain": True},
        {"state": "maint", "wait_for_drain": True, "on_deadline": "leave"},
        {"drain_timeout": float("inf")},
        {"state": "drain", "wait_for_drain": True, "drain_timeout": 0},
    ],
)
def test_what_cannot_be_asked_of_one_server_is_a_mistake(fields: dict[str, Any]) -> None:
    with pytest.raises(Mistake):
        WantedServer("web", "a", **fields)


@pytest.mark.parametrize(
    ("weight", "initial", "is_then"),
    [("50%", 1, 1), ("50%", 100, 50), ("0%", 9, 0), ("200%", 200, 256), ("7", 1, 7)],
)
def test_shares_are_of_the_weight_that_it_began_with(weight: str, initial: int, is_then: int) -> None:
    assert WantedServer("web", "a", weight=weight).weight_of(initial) == is_then
