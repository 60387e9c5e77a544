"""A machine hands over to a newer one: in which order, and that clients of its load balancer do not notice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import lbkit
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.contract import Process, Program
from lbkit.machine.libvirt import handing
from lbkit.machine.libvirt.driver import DRIVER
from lbkit.machine.libvirt.fleet import Fleet, Generation
from lbkit.machine.libvirt.observe import SeenDomain
from lbkit.machine.presence import judge_again, presence_key
from tests import images
from tests.haproxy.world import APP, get, steady_clients
from tests.libvirtd import daemon, hypervisor, section

__all__ = ["daemon", "hypervisor"]

LB = "10.80.0.20"


def topology(name: str, hypervisor: ResolvedHost) -> dict[str, Any]:
    return {
        "lbkit": 1,
        "name": name,
        "hosts": section(hypervisor),
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {
            "lb": {"networks": {"front": {"addresses": [LB]}}},
            "web": {
                "count": 2,
                "driver": "libvirt",
                "networks": ["front"],
                "vm": {
                    "image": images.built().identity[:25],
                    "memory": "256MiB",
                    "max_memory": "256MiB",
                    "accelerator": "tcg",
                },
                "run": [
                    {
                        "name": "app",
                        "command": ["/usr/bin/python3", "-I", "app.py", "8080"],
                        "files": {"app.py": {"content": APP}},
                        "ready": {"port": 8080, "timeout": "2m"},
                    }
                ],
            },
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "frontends": {"http": {"bind": 80, "backend": "web"}},
                "backends": {
                    "web": {
                        "servers": [{"machines": "web", "port": 8080}],
                        "up_timeout": "2m",
                        "health_check": {
                            "protocol": "http",
                            "path": "/healthz",
                            "interval": "500ms",
                            "timeout": "10s",
                            "rise": 1,
                        },
                    }
                },
            }
        },
    }


@pytest.mark.sandbox
@pytest.mark.xdist_group("vm")
def test_all_members_are_replaced_one_after_the_other_and_no_request_is_lost(
    host: Host,
    topology_name: str,
    hypervisor: ResolvedHost,
    record_property: Callable[[str, object], None],
) -> None:
    data = topology(topology_name, hypervisor)
    scope = lbkit.load_data(data, Path("/nowhere"))
    lbkit.apply(scope, host)
    data["machines"]["web"]["vm"]["max_memory"] = "288MiB"
    scope = lbkit.load_data(data, Path("/nowhere"))
    plan = lbkit.plan(scope, host)
    waves = {str(change.key): change.wave for change in plan.changes}
    assert waves["presence web-1"] < waves["presence web-2"]
    assert plan.impact is Impact.HITLESS
    get(LB)
    with steady_clients(LB, fresh=1, kept=1) as clients:
        result = lbkit.apply(scope, host)
    record_property("requests", clients.requests)
    assert clients.failed == []
    assert set(clients.served) == {"web-1", "web-2"}
    assert result.notes == ()
    assert not lbkit.plan(scope, host)
    names = connect(hypervisor).read("domains", lambda raw: {each.name() for each in raw.listAllDomains()})
    assert names == {f"{topology_name}.web-{number}.2" for number in (1, 2)}
    lbkit.destroy(scope, host)


class Recorded:
    """A machine of two generations of which nothing is real: what is done with them is written down, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, old: str = "running") -> None:
        self.log: list[str] = []
        self.fails_at = ""
        self.generations = (
            self._generation(1, old, "10.0.0.1/24"),
            self._generation(2, "running", "10.0.0.2/24"),
        )
        fleet = Fleet({"web-1": self.generations})
        monkeypatch.setattr(handing, "look", lambda *_: fleet)
        monkeypatch.setattr(handing, "set_links", self._links)
        monkeypatch.setattr(handing, "greet", lambda line: self._do("look"))
        monkeypatch.setattr(handing, "remove", lambda scope, host, each: self._do(f"remove {each.number}"))
        monkeypatch.setattr(handing, "RemoteMachine", self._machine)
        monkeypatch.setattr(
            Generation, "line", lambda each, host: Mock(call=self._announce, number=each.number)
        )

    def take_over(self) -> str:
        return handing.take_over(Mock(), Mock(), "web-1", lambda line: None, self.aside)

    @contextmanager
    def aside(self, addresses: Collection[object]) -> Iterator[None]:
        self.log.append(f"without traffic: {', '.join(sorted(map(str, addresses)))}")
        yield
        self.log.append("with traffic")

    def _generation(self, number: int, state: str, address: str) -> Generation:
        wanted = {"interfaces": {"front": {"addresses": [address, "nonsense", 7]}}}
        domain = SeenDomain(
            f"web.web-1.{number}",
            f"uuid-{number}",
            state,
            "",
            topology="web",
            member="web-1",
            generation=number,
            wanted=wanted,
        )
        return Generation(domain, Mock(), Mock() if number == 2 else None)

    def _machine(self, topology: str, member: str, line: Mock) -> Mock:
        programs = [Program(name, ("/bin/true",)) for name in ("app", "sidecar")]
        found = {
            program.name: Process(program.name, "service", program, start_time=start)
            for start, program in enumerate(programs)
        }
        return Mock(
            processes=lambda: found,
            drain=lambda name: self._do(f"drain {name} of {line.number}"),
            start=lambda program: self._do(f"start {program.name} of {line.number}"),
        )

    def _links(self, generation: Generation, *, up: bool) -> None:
        self._do(f"links of {generation.number} {'up' if up else 'down'}")

    def _announce(self, method: str, _: object, **_more: object) -> None:
        self._do(method)

    def _do(self, what: str) -> str:
        self.log.append(what)
        if what == self.fails_at:
            raise Failure("it was to work")
        return what


def test_what_it_serves_with_ends_and_links_change_sides_while_nobody_sends_it_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded = Recorded(monkeypatch)
    recorded.take_over()
    assert recorded.log == [
        "without traffic: 10.0.0.1, 10.0.0.2",
        "drain sidecar of 1",
        "drain app of 1",
        "links of 1 down",
        "links of 2 up",
        "announce",
        "look",
        "with traffic",
        "remove 1",
    ]


def test_one_that_does_not_come_up_gives_the_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch)
    recorded.fails_at = "look"
    with pytest.raises(Failure):
        recorded.take_over()
    assert recorded.log[-4:] == ["links of 2 down", "links of 1 up", "start app of 1", "start sidecar of 1"]
    assert "remove 1" not in recorded.log


def test_one_that_does_not_let_its_programs_finish_goes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch)
    recorded.fails_at = "drain sidecar of 1"
    recorded.take_over()
    assert recorded.log[2:] == [
        "drain app of 1",
        "links of 1 down",
        "links of 2 up",
        "announce",
        "look",
        "with traffic",
        "remove 1",
    ]


def test_a_dead_one_is_replaced_without_asking_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch, old="crashed")
    recorded.take_over()
    assert recorded.log == ["links of 2 up", "announce", "look", "remove 1"]


def presence(members: int) -> Desired:
    return Desired(
        presence_key("web-1"),
        {"driver": "libvirt", "links": {"front": "up"}, "older": [], "members": members},
    )


@pytest.mark.parametrize(
    ("members", "impact", "words"),
    [
        (1, Impact.DISRUPTIVE, "nobody answers at its addresses"),
        (2, Impact.HITLESS, "the other one of its group serves, if well"),
        (3, Impact.HITLESS, "the 2 others of its group serve, if well"),
    ],
)
def test_the_plan_says_who_notices(members: int, impact: Impact, words: str) -> None:
    want = presence(members)
    machine = Change(Key("machine", "web-1"), Action.REPLACE, Impact.HITLESS, "cpus", None, None)
    again = judge_again(want, machine)
    have = Actual(want.key, {**want.state, "older": ["web.web-1.1"]}, "web")
    found = DRIVER.judge(want, have)
    assert found is not None
    for verdict in (again, found):
        assert verdict.impact is impact
        assert words in verdict.reason
    nobody_served = replace(machine, impact=Impact.NONE)
    assert judge_again(want, nobody_served).impact is Impact.NONE
    assert DRIVER.judge(want, replace(have, state=want.state)) is None
