"""What GuestAgent promises, with the real qemu-ga and with a fake one that passes the same; then bad days."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu
import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.machine.libvirt.agent import PIECE, GuestAgent
from lbkit.machine.libvirt.agent_call import AgentRefused, AgentSilent
from tests.machine.libvirt.agents import Domain, FakeAgent, command, error, qemu_ga
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

LARGE = bytes(range(256)) * (5 << 12)  # 5 MiB: libvirt lets neither it nor its base64 through


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


def test_it_answers(agent: GuestAgent) -> None:
    agent.ping()
    assert agent.execute(["true"]).returncode == 0


def test_a_program_with_all_that_belongs_to_it(agent: GuestAgent, tmp_path: Path) -> None:
    script = 'cat; pwd; echo "$HOME $COLOUR" >&2; exit 7'
    done = agent.execute(
        ["sh", "-c", script], stdin=b"in\0\xff\n", cwd=str(tmp_path), environment={"COLOUR": "a 'b'"}
    )
    assert done.returncode == 7
    assert done.stdout == b"in\0\xff\n" + str(tmp_path).encode() + b"\n"
    assert done.stderr == b"/root a 'b'\n"


def test_arguments_are_data(agent: GuestAgent) -> None:
    words = ["", "a b", "$(id)", "'\"", "-n", "*", "ä", "a\nb"]
    done = agent.execute(["printf", "%s|", *words])
    assert done.stdout.decode() == "".join(f"{word}|" for word in words)


def test_the_ends_that_a_program_can_have(agent: GuestAgent) -> None:
    assert agent.execute(["no-such-program"]).returncode == 127
    assert agent.execute(["sh", "-c", "kill -9 $$"]).returncode == 128 + signal.SIGKILL
    assert agent.execute(["true"], stdin=b"x" * PIECE).returncode == 0, "a program need not read"
    assert agent.execute(["true"], cwd="/no/such/folder").returncode != 0


@pytest.mark.parametrize("size", [0, PIECE - 1, PIECE, PIECE + 1, len(LARGE)])
def test_any_size_goes_in_and_comes_out(agent: GuestAgent, size: int) -> None:
    done = agent.execute(["sh", "-c", "cat; echo done >&2"], stdin=LARGE[:size])
    assert (done.returncode, done.stdout == LARGE[:size], done.stderr) == (0, True, b"done\n")


def test_much_on_stderr(agent: GuestAgent) -> None:
    done = agent.execute(["sh", "-c", "cat >&2"], stdin=LARGE)
    assert (done.stdout, done.stderr == LARGE) == (b"", True)


@pytest.mark.parametrize("content", [b"", b"a\0\n", LARGE], ids=["empty", "small", "large"])
def test_files(agent: GuestAgent, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a 'file'"
    assert agent.read(str(path)) is None
    path.write_bytes(b"before")
    agent.write(str(path), content, mode=0o640)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert agent.read(str(path)) == content
    to = io.BytesIO()
    assert agent.fetch(str(path), to)
    assert to.getvalue() == content
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith("file'")] == [path.name]


def test_a_file_that_cannot_be(agent: GuestAgent, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no/such") as caught:
        agent.write(str(tmp_path / "no/such/file"), b"x")
    assert caught.value.found
    with pytest.raises(Failure):
        agent.read("/proc/self/mem")


def test_a_program_that_does_not_end_is_killed_with_all_it_started(agent: GuestAgent, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(Failure, match=r"within 0\.5 s"):
        agent.execute(["sh", "-c", f"sleep 1000 & echo $! >{pid}; wait"], timeout=0.5)
    until(lambda: not Path("/proc", pid.read_text().strip(), "exe").exists(), "it is gone")


def test_a_killed_agent_fails_what_is_under_way(tmp_path: Path) -> None:
    with qemu_ga(tmp_path) as (real, process):
        domain = Domain(real)
        agent = GuestAgent(domain, patience=2)

        class Killing(SystemClock):
            def sleep(self, seconds: float) -> None:
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
    with pytest.raises(AgentRefused):
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
