"""What GuestAgent promises, with the real qemu-ga and with a fake one that passes the same; then bad days."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu
import pytest

from lbkit.base.clock import SystemClock
from lbkit.machine.libvirt.agent import GuestAgent
from lbkit.machine.libvirt.agent_call import AgentRefused, AgentSilent
from tests.machine.libvirt.agent_promises import PROMISES
from tests.machine.libvirt.agents import Domain, FakeAgent, command, error, qemu_ga
from tests.machine.world import until

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
def _libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt_qemu, "qemuAgentCommand", command)


@pytest.fixture(params=["fake", "qemu-ga"])
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GuestAgent]:
    if request.param == "fake":
        domain = Domain(FakeAgent())
        yield GuestAgent(domain)
        domain.agent.close()
    else:
        with qemu_ga(tmp_path) as (real, _):
            domain = Domain(real)
            yield GuestAgent(domain)
    leaves_nothing(domain)


def leaves_nothing(domain: Domain) -> None:
    assert domain.spools
    until(lambda: not any(map(os.path.lexists, domain.spools)), "spools are removed")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_is_as_promised(agent: GuestAgent, promise: Callable[[GuestAgent], None]) -> None:
    promise(agent)


def test_a_killed_agent_fails_what_is_under_way(tmp_path: Path) -> None:
    with qemu_ga(tmp_path) as (real, process):
        domain = Domain(real)
        agent = GuestAgent(domain, patience=2)

        class Killing(SystemClock):
            def sleep(self, seconds: float) -> None:
                until(lambda: any(map(os.path.lexists, domain.spools)), "the program runs")
                process.kill()
                process.wait()

        agent._clock = Killing()
        with pytest.raises(AgentSilent) as caught:
            agent.execute(["sleep", "1"])
        assert caught.value.found
        assert "qemu-guest-agent" in caught.value.remedy
        with pytest.raises(AgentSilent):
            agent.ping()
    leaves_nothing(domain)


def test_an_agent_that_was_restarted_does_not_know_the_program(tmp_path: Path) -> None:
    fake = FakeAgent()

    def restarted(name: str) -> None:
        if name == "guest-exec-status":
            fake.close()
            fake.running.clear()

    fake.before = restarted
    with pytest.raises(AgentSilent, match="restart"):
        GuestAgent(Domain(fake)).execute(["true"])


UNRESPONSIVE = libvirt.VIR_ERR_AGENT_UNRESPONSIVE


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (UNRESPONSIVE, "qemu-guest-agent runs"),
        (libvirt.VIR_ERR_AGENT_UNSYNCED, "qemu-guest-agent runs"),
        (libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, "channel"),
        (libvirt.VIR_ERR_OPERATION_INVALID, "starts it"),
        (libvirt.VIR_ERR_NO_DOMAIN, "apply"),
        (libvirt.VIR_ERR_RPC, "libvirt"),
    ],
)
def test_whatever_is_gone_the_failure_says_what_to_do(code: int, remedy: str) -> None:
    def gone(name: str) -> None:
        raise error(code, "words of libvirt")

    with pytest.raises(AgentSilent) as caught:
        GuestAgent(Domain(FakeAgent(before=gone))).ping()
    assert caught.value.found == "words of libvirt"
    assert remedy in caught.value.remedy
    assert caught.value.where == "domain t.m.1"


class Waiting(SystemClock):
    """Time goes by in sleeps alone."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_an_agent_that_the_guest_has_not_started_yet_is_waited_for() -> None:
    clock = Waiting()

    def later(name: str) -> None:
        if clock.slept < 2:
            raise error(UNRESPONSIVE, "QEMU guest agent is not connected")

    GuestAgent(Domain(FakeAgent(before=later)), patience=3, clock=clock).await_start()
    assert clock.slept == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(("code", "slept"), [(UNRESPONSIVE, 3), (libvirt.VIR_ERR_OPERATION_INVALID, 0)])
def test_one_that_does_not_come_is_waited_for_as_long_as_one_answer(code: int, slept: float) -> None:
    clock = Waiting()

    def never(name: str) -> None:
        raise error(code, "words of libvirt")

    with pytest.raises(AgentSilent):
        GuestAgent(Domain(FakeAgent(before=never)), patience=3, clock=clock).await_start()
    assert clock.slept == pytest.approx(slept, abs=0.3)


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", '{"return": 7}', '{"return": {"pid": -1}}', '{"return": {"pid": "1"}}']
)
def test_nonsense_of_a_guest_is_a_failure(answer: str) -> None:
    def nonsense(name: str) -> str | None:
        return answer if name == "guest-exec" else None

    agent = GuestAgent(Domain(FakeAgent(before=nonsense)))
    with pytest.raises(AgentSilent):
        agent.execute(["true"])


def test_a_blocked_command_says_so() -> None:
    blocked: dict[str, Any] = {"error": {"desc": "Command guest-exec has been disabled for this instance"}}
    agent = GuestAgent(Domain(FakeAgent(before=lambda _: json.dumps(blocked))))
    with pytest.raises(AgentRefused, match="block-rpcs"):
        agent.execute(["true"])
