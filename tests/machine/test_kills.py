"""`kill -9` of an apply before any single thing that it does to the world: the next one converges, nothing is stray."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.machine.spec import Ready
from tests.machine import world
from tests.machine.world import PYTHON, machine, scope_of, service, text, until

pytestmark = pytest.mark.sandbox

PARTS = 4  # so that the cores share the work
SERVER = (
    PYTHON,
    "-I",
    "-S",
    "-c",
    "import socket, time; s = socket.create_server(('', 8080)); time.sleep(1000)",
)
ONCE_EACH = dict.fromkeys(["a/comes", "a/restarts", "a/stays", "c/y"], 1)
CHANGING = {
    "os.chmod",
    "os.chown",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "shutil.rmtree",
    "socket.sendmsg",
    "socket.sendto",
    "subprocess.Popen",
}


def before(topology: str) -> Scope:
    return scope_of(
        topology,
        machine("a", service("goes"), service("stays"), service("restarts", files={"f": text("1")})),
        machine("b", service("x")),
    )


def after(topology: str) -> Scope:
    return scope_of(
        topology,
        machine(
            "a",
            service("stays"),
            service("restarts", files={"f": text("2"), "g/h": text("3")}, check=("test", "-f", "g/h")),
            service("comes", *SERVER, ready=Ready(port=8080)),
        ),
        machine("c", service("y", files={"f": text("1", once=True)})),
    )


def killed(act: Callable[[Callable[[object], None]], object], number: int) -> bool:
    """Whether a process that did `act` was killed before its change `number`; False: it came to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = itertools.count()

            def die(_event: object = None) -> None:
                if next(count) == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            def hook(event: str, arguments: tuple[object, ...]) -> None:
                writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
                if writes or event in CHANGING:
                    die()

            sys.addaudithook(hook)
            act(die)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGKILL}
    return code != 0


def counts(topology: str) -> dict[str, int]:
    return {name: len(each) for name, each in world.pids(topology).items()}


@pytest.mark.parametrize("part", range(PARTS))
def test_the_next_apply_converges(topology: str, host: Host, part: int) -> None:
    want = after(topology)
    for number in itertools.count(part, PARTS):
        world.apply(before(topology), host)
        stays = world.pids(topology)["a/stays"]
        over = not killed(lambda die: world.apply(want, host, watch=die), number)
        world.apply(want, host)
        assert not world.plan(want, host), f"after kill {number}"
        # what the killed one had begun to start gets no word of what it was to be, and ends by itself
        until(lambda: counts(topology) == ONCE_EACH, f"after kill {number}")
        assert not world.plan(want, host), f"after kill {number}"
        assert world.pids(topology)["a/stays"] == stays
        files = sorted(path.name for path in (host.folder(topology) / "machines/a").iterdir())
        assert files == sorted(
            f"{name}{end}"
            for name in ("comes", "restarts", "stays")
            for end in ("", ".files.json", ".process.json")
        ), f"after kill {number}"
        if over:
            break
        world.apply(scope_of(topology), host, absent=True)
        assert world.left_behind(topology, host) == world.NOTHING
    assert number > 20, "there is more to an apply than that"


@pytest.mark.parametrize("part", range(PARTS))
def test_the_next_destroy_leaves_nothing(topology: str, host: Host, part: int) -> None:
    scope = before(topology)
    for number in itertools.count(part, PARTS):
        world.apply(scope, host)
        over = not killed(lambda die: world.apply(scope, host, absent=True, watch=die), number)
        world.apply(scope, host, absent=True)
        assert world.left_behind(topology, host) == world.NOTHING, f"after kill {number}"
        if over:
            break
    assert number > 10, "there is more to a destroy than that"


@pytest.mark.parametrize("grace", [0.0, 0.003, 0.006, 0.012, 0.024])
def test_a_kill_while_a_process_is_on_its_way_to_its_program(topology: str, host: Host, grace: float) -> None:
    """Whenever the next apply comes, it finds the one on its way, or waits for nobody: one runs in the end."""
    scope = scope_of(topology, machine("a", service("app")))
    world.apply(scope_of(topology, machine("a")), host)

    def start(_die: object) -> None:
        import subprocess  # noqa: PLC0415 - patched in the child alone

        def die_instead(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        communicate = subprocess.Popen.communicate

        def write_and_die(process: subprocess.Popen[bytes], data: bytes, timeout: float) -> None:
            assert process.stdin is not None
            process.stdin.write(data)
            process.stdin.close()
            die_instead()

        assert communicate is not None
        subprocess.Popen.communicate = write_and_die  # type: ignore[method-assign,assignment]
        world.apply(scope, host)

    assert killed(start, -1)
    replace(host).clock.sleep(grace)
    world.apply(scope, host)
    assert not world.plan(scope, host)
    # the process between (shim.py) has nobody any more who waits for its end
    until(lambda: counts(topology) == {"a/app": 1}, "one runs")
    assert not world.plan(scope, host)
