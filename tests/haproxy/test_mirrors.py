"""A backend of a mirror: what is declared, what HAProxy is told, and by which steps servers come and go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.host import Host
from lbkit.engine.holds import Hold
from lbkit.engine.scope import Draft
from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.holding import holdable
from lbkit.haproxy.reasons.cause import cause
from lbkit.haproxy.reasons.evidence import Evidence
from lbkit.haproxy.resolve import mirrors
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.runtime.servers_state import Admin
from lbkit.haproxy.text import serials
from lbkit.haproxy.text.render import render
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.planner import Transition, Way, transition
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.transition.statefile import remembered, state_file, state_file_after
from lbkit.haproxy.wanted import wanted_on
from lbkit.health.outcome import Outcome
from lbkit.mirror.serving import nginx
from lbkit.mirror.sync import project
from tests.haproxy.mirrored import NODES, booked, loopback, mirrored
from tests.haproxy.test_text import GOLDEN, accepts
from tests.haproxy.topologies import Document, load, refused, resolved

HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port"
)


def text_of(data: Document) -> str:
    with booked():
        return render(config_of(resolved(data), mark="lbkit:web:haproxy/lb-1/shop", user=None))


def wanted(data: Document, *held: str) -> Wanted:
    with booked():
        scope = load(data)
    scope = replace(scope, holds={path: Hold(path, "disk", "me", "2026-01-01T00:00:00Z") for path in held})
    return wanted_on(scope.of("haproxy", LoadBalancers).by_name["shop"], "lb-1", scope, Host())


def as_it_runs(it: Wanted, version: str = "2.6.12", **changes: Any) -> Running:
    digest = next(word[7:] for word in it.text.split() if word.startswith("sha256:"))
    said: dict[str, Any] = {
        "text": it.text,
        "alive": True,
        "answers": True,
        "loaded": digest,
        "version": version,
        "servers": it.servers,
        "command": it.command,
    }
    return Running(**{**said, **changes})


def way(before: Wanted, after: Wanted) -> Transition:
    return transition(as_it_runs(before), after)


def test_the_text_is_as_agreed_and_haproxy_accepts_it(tmp_path: Path) -> None:
    text = text_of(mirrored())
    assert text == (GOLDEN / "mirrors.cfg").read_text()
    assert accepts(text, tmp_path) == ""


@pytest.mark.parametrize(
    ("status", "admin", "agent", "words"),
    [
        (
            "DRAIN (agent)",
            Admin.FORCED_DRAIN,
            "CHECKED",
            "by its agent, as the mirror's keeper has judged the node: `lbkit explain debian/mirror-2` says why",
        ),
        ("DRAIN (agent)", Admin.FORCED_DRAIN, "INI", "its agent was not asked yet"),
        ("DRAIN (agent)", Admin.FORCED_DRAIN, "L4CON", "now its agent does not answer (L4CON)"),
        ("DOWN", Admin.NONE, "L7TOUT", "it serves, but its agent does not answer (L7TOUT)"),
        ("UP", Admin.NONE, "L7OK", ""),
    ],
)
def test_why_a_node_gets_nothing(status: str, admin: Admin, agent: str, words: str) -> None:
    with booked():
        backend = resolved(mirrored()).backends[0]
    row = Row("debian", "mirror-2", status, 1, 0, 0, 0, 5, "L7OK", "", "", "", False, "", agent=agent)
    well = Outcome(passed=True, code="L7OK", words="", seconds=0.001)
    said = cause(Evidence("lb-1", True, backend, backend.servers[1], row, admin, tcp=well, asked=well))
    assert words in said
    assert bool(words) == bool(said)


def test_who_stands_in_says_so() -> None:
    with booked():
        backend = resolved(mirrored()).backends[1]
    row = Row("debian.any", "mirror-2", "UP", 1, 0, 0, 0, 5, "L7OK", "", "", "", False, "")
    said = cause(Evidence("lb-1", True, backend, backend.servers[1], row))
    assert said == "it stands in: it gets requests only while no server of debian is in use"


def test_its_words_are_those_of_mirrors() -> None:
    """Which room says them first does not matter: they must be the same."""
    assert serials.HEADER == nginx.SERIAL
    assert mirrors.TRACE == project.TRACE


def test_what_is_written_is_not_overruled() -> None:
    check = {"protocol": "http", "path": "/mine", "interval": "7s"}
    with booked():
        shop = resolved(mirrored({"health_check": check, "retries": 1, "retry_on": ["conn-failure"]}))
    debian, others = shop.backends
    assert debian.health_check is not None
    assert (debian.health_check.path, debian.health_check.interval) == ("/mine", 7)
    assert debian.health_check.agent is not None
    assert others.health_check is not None
    assert (others.health_check.path, others.health_check.agent) == ("/mine", None)
    assert (debian.traffic.retries, debian.traffic.retry_on) == (1, ("conn-failure",))


def test_there_are_as_many_tries_as_nodes_but_not_without_bound() -> None:
    def many(draft: Draft) -> None:
        loopback(draft)
        draft.book.entries["mirrors.debian"] *= 20

    with booked():
        assert resolved(mirrored()).backends[0].traffic.retries == 3
    with booked(many):
        refused(mirrored(), "servers with names of their own")


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ({"servers": [{"mirror": "debain"}]}, ("a mirror", "debain", "debian")),
        ({"servers": [{"mirror": "debian"}, {"machines": "web", "port": 80}]}, ("servers", "nothing else")),
        ({"servers": [{"mirror": "debian"}, {"mirror": "debian"}]}, ("servers", "nothing else")),
        ({"servers": [{"mirror": "debian", "port": 80}]}, ("port",)),
        ({"servers": [{"mirror": "debian", "machines": "web"}]}, ("machines and port, or mirror",)),
        ({"servers": [{"mirror": "debian", "network": "front"}]}, ("a network of mirrors.debian",)),
        ({"cookie": "SRV"}, ("cookie", "stale")),
        ({"persist": "source"}, ("persist", "stale")),
        ({"health_check": False}, ("health_check",)),
        ({"health_check": {"agent": {"port": 9}}}, ("health_check", "nodes have theirs")),
    ],
)
def test_mistakes(backend: Document, words: tuple[str, ...]) -> None:
    with booked():
        refused(mirrored(backend), *words)


def test_a_mirror_is_of_http() -> None:
    tcp = {"http": {"bind": 80, "mode": "tcp", "backend": "debian"}}
    with booked():
        refused(mirrored(frontends=tcp), "mode", "tcp")


def test_a_mirror_without_http_is_said() -> None:
    def silent(draft: Draft) -> None:
        loopback(draft)
        for endpoint in draft.book.entries["mirrors.debian"]:
            endpoint.ports.pop("http")  # type: ignore[attr-defined]

    with booked(silent):
        refused(mirrored(), "published by HTTP")


def test_it_takes_a_counter_that_its_frontends_leave() -> None:
    limit = {"requests": 5}
    for given, counter in (({}, 2), ({"rate_limit": [limit, limit]}, 0)):
        front = {"bind": 80, "backend": "debian", **given}
        assert f"track-sc{counter} src,ipmask(32,64) table members/debian.serial" in text_of(
            mirrored(frontends={"http": front})
        )
    full = {
        "bind": 80,
        "backend": "debian",
        "rate_limit": [limit, limit],
        "connections_per_source": {"connections": 9},
    }
    with booked():
        refused(mirrored(frontends={"http": full}), "counter")


def test_a_start_asks_the_agents_first() -> None:
    it = wanted(mirrored())
    steps = transition(Running(None, alive=False), it).lines
    (probe,) = (line for line in steps if line.startswith("probe"))
    assert "debian/mirror-3" in probe
    assert "debian.any" not in probe
    assert steps[-1] == (
        "wait until their agents were asked: debian/mirror-1, debian/mirror-2, debian/mirror-3 (5 s at most)"
    )
    begin = state_file(
        "", {name: it.server(name) for name in it.servers}, it.servers, ["debian/mirror-1"], late=it.late
    )
    assert set(columns(begin).items()) == {
        ("debian/mirror-1", ("2", "8")),
        *((f"debian/mirror-{number}", ("0", "8")) for number in (2, 3)),
        *((f"debian.any/mirror-{number}", ("0", "0")) for number in (1, 2, 3)),
    }
    assert remembered(begin)["debian/mirror-1"] == "None ready"


def fewer(count: int) -> Any:
    def enter(draft: Draft) -> None:
        loopback(draft)
        draft.book.entries["mirrors.debian"] = draft.book.entries["mirrors.debian"][:count]

    return enter


def of_nodes(count: int, data: Document | None = None) -> Wanted:
    with booked(fewer(count)):
        scope = load(data or mirrored())
    return wanted_on(scope.of("haproxy", LoadBalancers).by_name["shop"], "lb-1", scope, Host())


def test_a_new_node_gets_nothing_until_its_agent_says_so() -> None:
    found = way(of_nodes(2), of_nodes(3))
    assert found.way is Way.RUNTIME
    lines = found.lines
    about = [line for line in lines if "debian/mirror-3" in line]
    assert about[0].startswith(
        f"add server debian/mirror-3 {NODES[2]}:8000 check inter 1000 rise 2 fall 3 agent-check agent-inter 1000"
    )
    assert about[1:] == [
        "enable agent debian/mirror-3",
        "enable health debian/mirror-3",
        "set server debian/mirror-3 state drain",
        "set server debian/mirror-3 health down",
        "wait until debian/mirror-3 passed its checks (15 s at most)",
        "wait until its agent was asked: debian/mirror-3 (5 s at most)",
    ]
    assert "set server debian.any/mirror-3 state ready" in lines
    assert not any("wait" in line for line in lines if "debian.any" in line)


def test_a_node_goes_from_both() -> None:
    lines = way(of_nodes(3), of_nodes(2)).lines
    assert {"del server debian/mirror-3", "del server debian.any/mirror-3"} <= set(lines)


def test_a_reload_waits_for_agents_and_not_for_who_stands_in() -> None:
    found = way(of_nodes(2), of_nodes(3, mirrored({"balance": "leastconn"})))
    assert found.way is Way.RELOAD
    assert "wait until debian/mirror-3 passed its checks (15 s at most)" in found.lines
    assert not any("debian.any" in line for line in found.lines)
    assert "wait until its agent was asked: debian/mirror-3 (5 s at most)" in found.lines


def test_a_hold_is_of_both_and_named_once() -> None:
    it = wanted(mirrored(), "shop/debian/mirror-1")
    held = {name: Server.parse(text) for name, text in it.servers.items()}
    assert {name for name, server in held.items() if server.admin == "drain"} == {
        "debian/mirror-1",
        "debian.any/mirror-1",
    }
    assert not held["debian/mirror-1"].asked
    lines = way(it, wanted(mirrored())).lines
    assert "enable agent debian/mirror-1" in lines
    assert not any(line.startswith("set server debian/mirror-1 state") for line in lines)
    assert "set server debian.any/mirror-1 state ready" in lines
    with booked():
        assert set(holdable(load(mirrored()))) == {f"shop/debian/mirror-{number}" for number in (1, 2, 3)}


def line(backend: str, *, admin: int, agent: int, server: str = "a") -> str:
    return f"3 {backend} 1 {server} 10.0.0.1 2 {admin} 1 1 9 6 3 4 6 {agent} 0 0 - 80 - 0 0 - - 0"


def columns(text: str) -> dict[str, tuple[str, str]]:
    """Of each server whether it is up, and its admin state."""
    found = [each.split() for each in text.splitlines() if not each.startswith("#") and len(each) > 1]
    return {f"{words[1]}/{words[3]}": (words[5], words[6]) for words in found}


def test_what_lies_on_disk_is_no_word_of_an_agent() -> None:
    """Whenever a process starts, it asks; but for the one that a reload puts in this one's place at once."""
    dump = "\n".join(
        [HEAD, line("m", admin=0, agent=22), line("m.any", admin=0, agent=0), line("w", admin=0, agent=0)]
    )
    servers = {name: Server("10.0.0.1", 80) for name in ("m/a", "m.any/a", "w/a")}
    late = {"m", "m.any"}
    resting = state_file(dump, servers, (), (), late=late)
    assert columns(resting) == {"m/a": ("2", "8"), "m.any/a": ("0", "0"), "w/a": ("2", "0")}
    assert remembered(resting)["m/a"] == "1 ready"
    handed = state_file(dump, servers, (), (), late=late, handed=True)
    assert columns(handed) == {"m/a": ("2", "0"), "m.any/a": ("2", "0"), "w/a": ("2", "0")}
    again = state_file_after(resting, dump, ["w/a"], late)
    assert columns(again) == columns(resting)
    assert remembered(again) == remembered(resting)
    assert written.servers(text_of(mirrored()))["debian/mirror-1"].asked
