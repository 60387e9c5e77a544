"""Servers that are set aside while their machine hands over: no request meets them meanwhile, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbkit
from lbkit.engine.change import Impact
from lbkit.engine.view import Health
from lbkit.haproxy.aside import set_aside, to_empty
from lbkit.haproxy.live import in_use
from lbkit.haproxy.runtime import ServerState
from lbkit.haproxy.runtime.servers_state import Admin, Check, CheckResult, OpState
from lbkit.haproxy.vip.serving import without_servers
from tests.haproxy.world import World, steady_clients, until


@dataclass
class Told:
    steps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(self, lines: Sequence[str], /) -> None:
        self.steps += lines

    def note(self, text: str, /) -> None:
        self.notes.append(text)


def address_of(world: World, member: str) -> str:
    machines = world.scope.resolved["machine"].by_name
    return str(machines[member].interfaces[0].addresses[0].ip)


@contextmanager
def aside(world: World, *members: str) -> Iterator[Told]:
    told = Told()
    addresses = [ip_address(address_of(world, member)) for member in members]
    with set_aside(world.scope, world.host, addresses, told):
        yield told


def states(world: World, member: str) -> dict[str, ServerState]:
    with world.haproxy(member).runtime() as runtime:
        return {each.server: each for each in runtime.servers()}


def up(world: World) -> World:
    world.apply()
    until(
        lambda: all(in_use(each) for lb in ("lb-1", "lb-2") for each in states(world, lb).values()), "all up"
    )
    return world


@pytest.mark.sandbox
def test_one_that_is_made_anew_meanwhile_loses_no_request(world: World) -> None:
    up(world)
    with steady_clients() as clients:
        until(lambda: len(clients.served) == 3, "all serve")
        with aside(world, "web-1") as told:
            before = clients.served["web-1"]
            world.machine("web-1").stop("app")
            until(lambda: clients.requests > 500, "requests")
            assert clients.served["web-1"] == before
            world.apply()  # starts it, as a new machine would
        assert all(in_use(states(world, lb)["web-1"]) for lb in ("lb-1", "lb-2"))
        until(lambda: clients.served["web-1"] > before, "it serves again")
    assert clients.failed == []
    assert told.notes == []
    assert {line for line in told.steps if line.startswith("lb-1: set server web/web-1")} >= {
        f"lb-1: set server web/web-1 {words}" for words in ("state drain", "state maint", "state ready")
    }
    assert not world.plan()


@pytest.mark.sandbox
def test_it_is_not_in_use_again_before_its_checks_pass(world: World) -> None:
    world.shop["backends"]["web"]["up_timeout"] = "500ms"
    up(world)
    with aside(world, "web-1") as told:
        world.machine("web-1").stop("app")
    assert sorted(note.split(" (")[0] for note in told.notes) == [
        f"{lb}: not up within 0.5 s, and without requests: web/web-1" for lb in ("lb-1", "lb-2")
    ]
    for lb in ("lb-1", "lb-2"):
        assert states(world, lb)["web-1"].op_state is OpState.STOPPED
        assert not states(world, lb)["web-1"].admin


@pytest.mark.sandbox
def test_what_is_out_of_use_already_is_left_so_and_the_last_one_serves_on(world: World) -> None:
    up(world)
    lbkit.hold(world.scope, "shop/web/web-2", reason="disk", by="ada", host=world.host)
    with world.haproxy("lb-1").runtime() as runtime:
        runtime.do("set server web/web-3 state maint")
    with aside(world, "web-2"):
        pass
    assert states(world, "lb-1")["web-2"].admin.drain
    with aside(world, "web-1") as told:
        assert in_use(states(world, "lb-1")["web-1"])
        assert not in_use(states(world, "lb-2")["web-1"])
    assert told.notes == ["lb-1: web/web-1 alone is up in its backend: it gets requests all the while"]
    assert states(world, "lb-1")["web-3"].admin.maint


@pytest.mark.sandbox
def test_one_that_does_not_answer_does_not_stop_it(world: World) -> None:
    up(world)
    world.machine("lb-1").discard(world.haproxy("lb-1").path("runtime.sock"))
    with aside(world, "web-1") as told:
        assert not in_use(states(world, "lb-2")["web-1"])
    assert in_use(states(world, "lb-2")["web-1"])
    (note,) = told.notes
    assert note.startswith("lb-1: its servers were to be looked at: ")


@pytest.mark.sandbox
def test_machines_that_leave_send_it_nothing_either(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """lb-2 is such a one here: the machine that takes its place runs nothing yet."""
    up(world)
    old = world.machine("lb-2")
    new = Mock(running=dict)
    new.name = "lb-2"
    found = {"lb-1": world.machine("lb-1"), "lb-2": new}
    monkeypatch.setattr("lbkit.haproxy.instance.machine", lambda scope, host, member: found[member])
    monkeypatch.setattr("lbkit.haproxy.instance.leaving", lambda scope, host: [old])
    with aside(world, "web-1"):
        assert not in_use(states(world, "lb-2")["web-1"])
    assert in_use(states(world, "lb-2")["web-1"])


@pytest.mark.sandbox
@pytest.mark.parametrize("by_hand", ["undo", "keep"])
def test_killed_in_between_the_next_plan_puts_it_back(
    world: World, by_hand: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.shop["by_hand"] = by_hand
    up(world)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("lbkit.haproxy.aside._Place.put_back", die)
    with pytest.raises(Killed), aside(world, "web-1"):
        assert not world.plan(), "it is known here that it comes back"
    monkeypatch.setattr("lbkit.haproxy.resting._resting", {})
    plan = world.plan()
    assert {str(change.key) for change in plan.changes} == {"haproxy lb-1/shop", "haproxy lb-2/shop"}
    assert plan.impact is Impact.HITLESS
    world.apply()
    assert not world.plan()
    until(lambda: world.status()["server shop/web/web-1"].health is Health.UP, "in use again")


ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")

servers = st.lists(
    st.builds(
        lambda backend, number, address, op_state, admin, weight: _state(
            backend, f"s{number}", address, op_state, admin, weight
        ),
        st.sampled_from(["web", "api"]),
        st.integers(1, 4),
        st.sampled_from([*ADDRESSES, ""]),
        st.sampled_from(OpState),
        st.sampled_from([Admin.NONE, Admin.FORCED_DRAIN, Admin.FORCED_MAINT]),
        st.sampled_from([0, 1]),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)


def _state(
    backend: str, server: str, address: str, op_state: OpState, admin: Admin, weight: int
) -> ServerState:
    return ServerState(
        backend=backend,
        server=server,
        address=address,
        port=80,
        op_state=op_state,
        admin=admin,
        weight=weight,
        initial_weight=1,
        for_seconds=0,
        check_status=6,
        check_result=CheckResult.PASSED,
        health=3,
        check=Check.CONFIGURED | Check.ENABLED,
        agent=Check.NONE,
        fqdn="",
        use_ssl=False,
        check_port=0,
        check_address="",
        agent_address="",
        agent_port=0,
        server_id=0,
    )


@given(servers, st.sets(st.sampled_from(ADDRESSES)))
def test_no_backend_that_serves_is_left_without_a_server(
    found: list[ServerState], addresses: set[str]
) -> None:
    goes, left = to_empty(found, [ip_address(each) for each in addresses])
    assert {each.address for each in [*goes, *left]} <= addresses
    assert not any(each.admin for each in goes)
    for backend in {each.backend for each in found if in_use(each)}:
        assert any(in_use(each) for each in found if each.backend == backend and each not in goes)
    assert not [each for each in left if any(each.backend == other.backend for other in goes)]


@given(servers)
def test_a_backend_serves_as_soon_as_one_server_is_in_use(found: list[ServerState]) -> None:
    wanted = {f"{each.backend}/{each.server}": "10.0.0.1:80 weight 1 ready checked" for each in found}
    lacking = without_servers(found, wanted)
    assert set(lacking) == {each.backend for each in found} - {each.backend for each in found if in_use(each)}
