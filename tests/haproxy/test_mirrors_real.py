"""Clients of a mirror behind a real HAProxy: one generation for one client, and no node that has not said `ready`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.resolved import ResolvedLoadBalancer
from lbkit.haproxy.text.render import render
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.statefile import state_file
from tests.haproxy import bare
from tests.haproxy.bare import Bare, eventually
from tests.haproxy.mirrored import booked, mirrored
from tests.haproxy.nodes import PORT, Node, fresh, get, serial, standing
from tests.haproxy.topologies import resolved
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    with ExitStack() as stack:
        yield [stack.enter_context(standing(node)) for node in fresh()]


@pytest.fixture(params=VERSIONS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Bare]]:
    with ExitStack() as stack:

        def begin(*changed: tuple[str, str], **shop: object) -> Bare:
            return stack.enter_context(running(request.param, tmp_path, *changed, **shop))

        yield begin


@contextmanager
def running(version: str, folder: Path, *changed: tuple[str, str], **shop: object) -> Iterator[Bare]:
    """As lbkit starts it. `changed`: of its text, to be sooner; each must be there."""
    balancer, text = begun(**shop)
    (folder / "servers.state").write_text(beginning(balancer, text))
    for old, new in (("inter 1000", "inter 100"), *changed):
        assert old in text, old
        text = text.replace(old, new)
    with bare.standing(program(version), folder, text) as haproxy:
        yield haproxy


def begun(**shop: object) -> tuple[ResolvedLoadBalancer, str]:
    with booked():
        balancer = resolved(mirrored(**shop))  # type: ignore[arg-type]
    return balancer, render(config_of(balancer, mark="lbkit:web:haproxy/lb-1/shop", user=None))


def beginning(balancer: ResolvedLoadBalancer, text: str) -> str:
    servers = written.servers(text)
    passed = [
        name for name in servers if name.startswith("debian/")
    ]  # their probes, as a start has them asked
    return state_file("", servers, list(servers), passed, late=balancer.late)


def status(haproxy: Bare, backend: str = "debian") -> dict[str, str]:
    head, *rows = haproxy.ask("show stat").splitlines()
    columns = head.removeprefix("# ").split(",")
    found = [dict(zip(columns, row.split(","), strict=False)) for row in rows]
    return {row["svname"]: row["status"] for row in found if row["pxname"] == backend}


def ready(haproxy: Bare, *names: str) -> None:
    """Until just these are in use."""
    wanted = names or ("mirror-1", "mirror-2", "mirror-3")

    def all_so() -> bool:
        now = status(haproxy)
        return {name for name in now if now[name] == "UP" and name != "BACKEND"} == set(wanted)

    eventually(all_so)


def test_a_client_reads_one_generation_while_nodes_flip(
    start: Callable[..., Bare], nodes: list[Node]
) -> None:
    ready(start())
    clients = {f"127.0.1.{number}": "7" for number in range(1, 5)}
    assert {client: serial(client) for client in clients} == clients
    for number, node in enumerate(nodes, start=1):
        node.flip(8)
        new = f"127.0.2.{number}"
        clients[new] = serial(new)
        for _ in range(4):  # whichever node is next
            assert {client: serial(client) for client in clients} == clients
    assert clients["127.0.2.3"] == "8"


def test_what_one_node_has_alone_is_found_there(start: Callable[..., Bare], nodes: list[Node]) -> None:
    ready(start())
    nodes[1].flip(8)
    news = [client for client in (f"127.0.1.{number}" for number in range(1, 7)) if serial(client) == "8"]
    assert news
    for node in nodes:
        node.asked.clear()
    assert {get(client) for client in news * 6} == {(200, "mirror-2 8")}
    assert "8" in nodes[0].asked  # and did not have it: nobody saw that


def test_that_there_is_no_such_file_is_an_answer(start: Callable[..., Bare], nodes: list[Node]) -> None:
    ready(start())
    for node in nodes:
        node.flip(8)
    assert serial() == "8"
    nodes[0].lacks, nodes[1].lacks, nodes[2].has = True, True, [7]
    assert {get()[0] for _ in range(6)} == {404}


def test_what_nobody_has_any_more_is_forgotten(start: Callable[..., Bare], nodes: list[Node]) -> None:
    ready(start())
    for node in nodes:
        node.has, node.gone = [6], []
    assert serial() == "6"
    for node in nodes:
        node.has, node.gone = [7], [6]  # gone as it does: what serves is served, and read on from
    assert serial() == "7"
    assert {node.asked[-1] for node in nodes if node.asked} >= {"6"}
    for node in nodes:
        node.has, node.gone = [9], []  # nobody ever had it
    assert get()[0] == 503
    assert serial() == "9"


def test_a_generation_is_not_read_for_ever(start: Callable[..., Bare], nodes: list[Node]) -> None:
    ready(start(("lt 300", "lt 2")))
    assert serial() == "7"
    for node in nodes:
        node.flip(8)
    assert serial() == "7"
    eventually(lambda: serial() == "8")  # never a pause
    for node in nodes:
        node.flip(9)
    assert serial() == "8"


def test_a_connection_stays_at_a_generation_whatever_others_of_its_address_read(
    start: Callable[..., Bare], nodes: list[Node]
) -> None:
    """Many share an address; each connection's session has a beginning of its own."""
    young = "{ var(txn.known) -m int gt 0 } { date,sub(txn.since) -m int lt 300 }"
    ready(start((young, young.replace("300", "0"))))  # what the table remembers is old at once

    def asked(connection: HTTPConnection) -> str:
        connection.request("GET", "/debian/x")
        return connection.getresponse().read().decode().split()[1]

    with closing(HTTPConnection("127.0.0.1", PORT, timeout=5)) as before:
        assert asked(before) == "7"
        for node in nodes:
            node.flip(8)
        with closing(HTTPConnection("127.0.0.1", PORT, timeout=5)) as after:
            assert [asked(each) for each in (after, before, after, before)] == ["8", "7", "8", "7"]
        for node in nodes:
            node.has, node.gone = [9], [7, 8]
        assert [asked(before) for _ in range(2)] == ["9", "9"]


def test_without_a_request_for_a_while_it_is_forgotten(start: Callable[..., Bare], nodes: list[Node]) -> None:
    haproxy = start(("expire 120000", "expire 1000"))
    ready(haproxy)
    assert serial() == "7"
    for node in nodes:
        node.flip(8)
    eventually(lambda: "used:0" in haproxy.ask("show table members/debian.serial"))
    assert serial() == "8"


def test_what_a_client_says_of_serials_is_dropped(start: Callable[..., Bare], nodes: list[Node]) -> None:
    ready(start())
    assert serial(Lbkit_Serial="3") == "7"
    assert serial(Lbkit_Serial="3") == "7"
    assert {asked for node in nodes for asked in node.asked} == {None, "7"}


@pytest.mark.parametrize(
    ("said", "asked"), [("12 x: y", "12"), ("evil", None), ("-4", None), ("99999999999", None)]
)
def test_of_what_a_node_says_a_number_is_taken(
    start: Callable[..., Bare], nodes: list[Node], said: str, asked: str | None
) -> None:
    ready(start())
    for node in nodes:
        node.says, node.has = said, [12]
    get()
    get()
    assert [each for node in nodes for each in node.asked].count(asked) >= 1
    assert {each for node in nodes for each in node.asked} <= {None, asked}


def test_serials_are_of_32_bits(start: Callable[..., Bare], nodes: list[Node]) -> None:
    ready(start())
    for node in nodes:
        node.has = [4_294_967_295]
    assert serial() == "4294967295"
    for node in nodes:
        node.flip(1)
    assert serial() == "4294967295"


def test_clients_of_ipv6_are_remembered_by_their_network(
    start: Callable[..., Bare], nodes: list[Node]
) -> None:
    for address in ("fd00:5::1", "fd00:5::2"):
        subprocess.run(["ip", "address", "replace", f"{address}/128", "dev", "lo", "nodad"], check=True)
    haproxy = start(frontends={"http": {"bind": ["127.0.0.1:7080", "[::1]:7080"], "backend": "debian"}})
    ready(haproxy)
    assert get("fd00:5::1", to="::1")[1].endswith(" 7")
    for node in nodes:
        node.flip(8)
    assert get("fd00:5::1", to="::1")[1].endswith(" 7")
    assert get("fd00:5::2", to="::1")[1].endswith(" 7")
    assert "key=fd00:5:: " in haproxy.ask("show table members/debian.serial")


def test_a_node_that_its_agent_drains_gets_nothing(start: Callable[..., Bare], nodes: list[Node]) -> None:
    haproxy = start()
    ready(haproxy)
    nodes[0].verdict = "drain"
    ready(haproxy, "mirror-2", "mirror-3")
    assert {get()[1].split()[0] for _ in range(9)} == {"mirror-2", "mirror-3"}
    nodes[0].verdict = "ready up"
    ready(haproxy)
    assert {get()[1].split()[0] for _ in range(9)} == {"mirror-1", "mirror-2", "mirror-3"}


def test_where_none_is_ready_any_serves(start: Callable[..., Bare], nodes: list[Node]) -> None:
    haproxy = start()
    ready(haproxy)
    assert serial() == "7"
    for node in nodes:
        node.verdict, node.has = "drain", [5]  # not what the client had
    eventually(lambda: set(status(haproxy, "debian.any").values()) == {"UP"})
    eventually(
        lambda: all(value.startswith("DRAIN") for name, value in status(haproxy).items() if name != "BACKEND")
    )
    assert {get() for _ in range(9)} == {(200, f"{node.name} 5") for node in nodes}
    assert all(node.asked[-1] is None for node in nodes)


def test_routes_lead_to_who_stands_in_too(
    start: Callable[..., Bare], nodes: list[Node], tmp_path: Path
) -> None:
    for node in nodes:
        node.verdict = "drain"
    frontends = {
        "http": {"bind": "127.0.0.1:7080", "routes": [{"path_prefix": "/debian", "backend": "debian"}]}
    }
    with booked():
        balancer = resolved(mirrored(frontends=frontends))
    (tmp_path / "maps").mkdir()
    for file in config_of(balancer, mark="m", user=None).files:
        (tmp_path / file.path).write_bytes(file.content)
    haproxy = start(frontends=frontends)
    eventually(lambda: set(status(haproxy, "debian.any").values()) == {"UP"})
    assert get()[0] == 200


def test_nobody_serves_before_agents_were_heard(start: Callable[..., Bare], nodes: list[Node]) -> None:
    """A start: the stale one is up, and what HAProxy knew of it is of yesterday."""
    nodes[0].verdict = "drain"
    haproxy = start(
        ("agent-inter 100", "agent-inter 1000"),
        ("tcp-check connect port 8001", ""),
        ("tcp-check expect rstring ^(ready|drain)", ""),
    )
    now = [haproxy.state("debian", node.name) or {} for node in nodes]
    assert {state["srv_op_state"] for state in now} == {"2"}
    assert nodes[0].heard or now[0]["srv_admin_state"] == "8"
    while not all(node.heard for node in nodes):
        get()
    ready(haproxy, "mirror-2", "mirror-3")
    assert {get()[0] for _ in range(20)} == {200}
    assert nodes[0].asked == []
    assert [node.early for node in nodes] == [0, 0, 0]


def test_one_whose_agent_has_died_is_down(start: Callable[..., Bare], nodes: list[Node]) -> None:
    """HAProxy keeps to what an agent said last: its check does not."""
    haproxy = start()
    ready(haproxy)
    nodes[0].stop_agent()  # type: ignore[attr-defined]  # it accepts, and says nothing any more
    ready(haproxy, "mirror-2", "mirror-3")
