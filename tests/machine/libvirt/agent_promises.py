"""What GuestAgent promises of any agent. Each needs nothing but one: files and programs are looked at through it."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lbkit.base.errors import Failure
from lbkit.machine.libvirt.agent import PIECE, GuestAgent
from lbkit.machine.libvirt.agent_call import AgentSilent
from tests.machine.world import until

CONTENT = bytes(range(256)) * 4100  # of several commands and two answers
LARGE = 13 << 18  # bytes, 3.25 MiB: libvirt does not let their base64 through


@contextmanager
def folder_in(agent: GuestAgent) -> Iterator[str]:
    done = agent.execute(["mktemp", "-d"])
    assert done.returncode == 0
    folder = done.stdout.decode().strip()
    yield folder
    assert agent.execute(["rm", "-r", folder]).returncode == 0


def awaited(agent: GuestAgent) -> GuestAgent:
    """Once it answers: in a guest it starts among the last."""

    def answers() -> bool:
        try:
            agent.ping()
        except AgentSilent:
            return False
        return True

    until(answers, "the agent answers", within=600)  # of a cloud image it starts when cloud-init has ended
    return agent


def it_answers(agent: GuestAgent) -> None:
    agent.ping()
    assert agent.execute(["true"]).returncode == 0


def a_program_has_all_that_belongs_to_it(agent: GuestAgent) -> None:
    script = 'cat; pwd; echo "$HOME $COLOUR" >&2; exit 7'
    with folder_in(agent) as folder:
        done = agent.execute(
            ["sh", "-c", script], stdin=b"in\0\xff\n", cwd=folder, environment={"COLOUR": "a 'b'"}
        )
    assert done.returncode == 7
    assert done.stdout == b"in\0\xff\n" + folder.encode() + b"\n"
    assert done.stderr == b"/root a 'b'\n"


def arguments_are_data(agent: GuestAgent) -> None:
    words = ["", "a b", "$(id)", "'\"", "-n", "*", "ä", "a\nb"]
    done = agent.execute(["printf", "%s|", *words])
    assert done.stdout.decode() == "".join(f"{word}|" for word in words)


def a_command_that_libvirt_would_garble_is_not_sent(agent: GuestAgent) -> None:
    with pytest.raises(Failure, match="stdin"):
        agent.execute(["true", *["x" * 1000] * 200])
    it_answers(agent)


def each_end_is_told(agent: GuestAgent) -> None:
    assert agent.execute(["no-such-program"]).returncode == 127
    assert agent.execute(["sh", "-c", "kill -9 $$"]).returncode == 128 + signal.SIGKILL
    assert agent.execute(["true"], stdin=b"x" * PIECE).returncode == 0, "a program need not read"
    assert agent.execute(["true"], cwd="/no/such/folder").returncode != 0


def any_size_goes_in_and_comes_out(agent: GuestAgent) -> None:
    for size in (0, PIECE - 1, PIECE, PIECE + 1, len(CONTENT)):
        done = agent.execute(["sh", "-c", "cat; echo done >&2"], stdin=CONTENT[:size])
        assert (done.returncode, done.stdout == CONTENT[:size], done.stderr) == (0, True, b"done\n")
    done = agent.execute(["sh", "-c", f"head -c {LARGE} /dev/zero >&2"])
    assert (done.stdout, done.stderr == bytes(LARGE)) == (b"", True)


def what_runs_on_in_the_background_is_not_waited_for(agent: GuestAgent) -> None:
    done = agent.execute(["sh", "-c", "sleep 30 & echo started"], timeout=20)
    assert done.stdout == b"started\n"


def files_are_whole_and_have_their_mode(agent: GuestAgent) -> None:
    with folder_in(agent) as folder:
        path = f"{folder}/a 'file'"
        assert agent.read(path) is None
        for content, mode in ((b"", 0o600), (b"a\0\n", 0o755), (CONTENT, 0o640)):
            agent.write(path, content, mode=mode)
            assert agent.read(path) == content
            assert agent.execute(["stat", "-c", "%a", path]).stdout.decode() == f"{mode:o}\n"
            to = io.BytesIO()
            assert agent.fetch(path, to)
            assert to.getvalue() == content
        assert agent.execute(["ls", "-A", folder]).stdout.decode() == "a 'file'\n"


def what_cannot_be_is_a_failure(agent: GuestAgent) -> None:
    with folder_in(agent) as folder:
        with pytest.raises(Failure, match="no/such") as caught:
            agent.write(f"{folder}/no/such/file", b"x")
        assert caught.value.found
        with pytest.raises(Failure):
            agent.read("/proc/self/mem")


def a_program_that_does_not_end_is_killed_with_all_it_started(agent: GuestAgent) -> None:
    with folder_in(agent) as folder:
        pid = f"{folder}/pid"
        with pytest.raises(Failure, match=r"within 2 s"):
            agent.execute(["sh", "-c", f"sleep 1000 & echo $! >{pid}; wait"], timeout=2)
        child = (agent.read(pid) or b"").decode().strip()
        gone = 'while [ -e "/proc/$1/exe" ]; do sleep 0.1; done'
        assert agent.execute(["sh", "-c", gone, "sh", child], timeout=20).returncode == 0


PROMISES: tuple[Callable[[GuestAgent], None], ...] = (
    it_answers,
    a_program_has_all_that_belongs_to_it,
    arguments_are_data,
    a_command_that_libvirt_would_garble_is_not_sent,
    each_end_is_told,
    any_size_goes_in_and_comes_out,
    what_runs_on_in_the_background_is_not_waited_for,
    files_are_whole_and_have_their_mode,
    what_cannot_be_is_a_failure,
    a_program_that_does_not_end_is_killed_with_all_it_started,
)
