"""Supervised processes on bad days: none is missed, and none of somebody else's is ever touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.journal import read_journal
from lbkit.machine.contract import Program
from lbkit.machine.local.proc import read_stat
from lbkit.machine.netns.driver import DRIVER
from lbkit.machine.netns.machine import NetnsMachine
from tests.machine import world
from tests.machine.world import PYTHON, SLEEP, alive, kill, pids, until

pytestmark = pytest.mark.sandbox


@pytest.fixture
def machine(topology: str, host: Host) -> NetnsMachine:
    world.apply(world.scope_of(topology, world.machine("m")), host)
    return NetnsMachine(topology, host, "m")


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else, a leader of its session as daemons are."""
    with subprocess.Popen(SLEEP, start_new_session=True) as process:
        yield process
        process.kill()


def record_of(machine: NetnsMachine) -> Path:
    return Path(machine.folder("app").with_name("app.process.json"))


def forge(machine: NetnsMachine, **changes: object) -> None:
    path = record_of(machine)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_recycled_pid_is_never_killed(machine: NetnsMachine, stranger: subprocess.Popen[bytes]) -> None:
    first = machine.start(Program("app", SLEEP, digest="d"))
    kill(first.pid)
    until(lambda: not machine.running(), "it died")
    forge(machine, pid=stranger.pid)
    assert machine.running() == {}
    with pytest.raises(Failure):
        machine.signal("app", signal.SIGTERM)
    second = machine.start(Program("app", SLEEP, digest="d"))
    forge(machine, pid=stranger.pid)
    machine.stop("app")
    assert not alive(second.pid), "by its mark"
    assert stranger.poll() is None


def test_a_record_that_names_a_foreign_process_to_the_tick_does_not_make_it_ours(
    machine: NetnsMachine, stranger: subprocess.Popen[bytes]
) -> None:
    machine.start(Program("app", SLEEP, digest="d"))
    machine.stop("app")
    stat = read_stat(stranger.pid)
    assert stat is not None
    machine.start(Program("app", SLEEP, digest="d"))
    forge(machine, pid=stranger.pid, start_time=stat.start_time)
    assert machine.running() == {}
    machine.stop("app")
    assert stranger.poll() is None
    assert pids(machine.folder("app").parents[2].name) == {}


def test_a_record_of_another_boot_is_of_no_process(machine: NetnsMachine) -> None:
    machine.start(Program("app", SLEEP))
    forge(machine, boot="another")
    (process,) = DRIVER.processes(world.scope_of(topology_of(machine)), host_of(machine))["m"].values()
    assert "booted" in process.trouble
    assert machine.running() == {}


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": "x"}', "\0" * 40])
def test_a_record_that_cannot_be_read_is_observed_and_replaced(machine: NetnsMachine, content: str) -> None:
    first = machine.start(Program("app", SLEEP, digest="d"))
    record_of(machine).write_text(content)
    (process,) = DRIVER.processes(world.scope_of(topology_of(machine)), host_of(machine))["m"].values()
    assert (process.program, process.trouble) == (None, "its record cannot be read")
    second = machine.start(Program("app", SLEEP, digest="d"))
    assert machine.running() == {"app": second}
    assert not alive(first.pid)


def test_a_record_of_an_earlier_lbkit_is_read(machine: NetnsMachine) -> None:
    first = machine.start(Program("app", SLEEP, digest="d", drain="USR1", drain_timeout=3.0))
    data = json.loads(record_of(machine).read_text())
    assert (data.pop("drain"), data.pop("drain_timeout")) == ("USR1", 3.0)
    record_of(machine).write_text(json.dumps(data))
    assert machine.running() == {"app": first}
    machine.drain("app")
    assert not alive(first.pid)


def test_a_lost_record_leaves_no_stray(machine: NetnsMachine) -> None:
    first = machine.start(Program("app", SLEEP))
    record_of(machine).unlink()
    second = machine.start(Program("app", SLEEP))
    assert not alive(first.pid)
    assert pids(topology_of(machine)) == {"m/app": [second.pid]}


CHILDREN = {
    "a child": "subprocess.Popen(['sleep', '1000'])",
    "a child in a session of its own": "subprocess.Popen(['sleep', '1000'], start_new_session=True)",
    "a child without our mark": "subprocess.Popen(['/bin/sleep', '1000'], env={})",
    "a daemon, by double fork": "os.fork() or (os.setsid(), os.fork() and os._exit(0), os.execvp('sleep', ['sleep', '1000']))",
}
UNMARKED = "a child without our mark"


@pytest.mark.parametrize(
    ("child", "leader"),
    # which of them is known while its leader lives, by the session, and after that by nothing: see below
    [
        (child, leader)
        for child in CHILDREN
        for leader in ("lives", "dies first")
        if (child, leader) != (UNMARKED, "dies first")
    ],
)
def test_all_that_a_service_forked_is_stopped(machine: NetnsMachine, child: str, leader: str) -> None:
    running = machine.start(with_child(child))
    network = os.stat(f"/proc/{running.pid}/ns/net").st_ino
    until(lambda: machine.log("app") and len(members_of(network)) == 2, "the child runs")
    if leader == "dies first":
        kill(running.pid)
        until(lambda: not machine.running(), "it died")
    machine.stop("app")
    assert members_of(network) == []


def with_child(child: str) -> Program:
    code = f"import os, subprocess, time\np = {CHILDREN[child]}\nprint('up', flush=True)\ntime.sleep(1000)"
    return Program("app", (PYTHON, "-I", "-W", "ignore", "-c", code))


def test_what_cannot_be_told_to_be_ours_is_left_and_named_when_the_machine_goes(
    machine: NetnsMachine, topology: str, host: Host
) -> None:
    running = machine.start(with_child(UNMARKED))
    network = os.stat(f"/proc/{running.pid}/ns/net").st_ino
    until(lambda: machine.log("app") and len(members_of(network)) == 2, "the child runs")
    kill(running.pid)
    until(lambda: len(members_of(network)) == 1, "it died")
    (child,) = members_of(network)
    world.apply(world.scope_of(topology), host, absent=True)
    last = [
        line for line in read_journal(host.folder(topology) / "journal.jsonl") if line["event"] == "done"
    ][-1]
    assert last["executed"].endswith(f"left running, as lbkit did not start them: pid {child} (sleep)")
    assert members_of(network) == [child]
    kill(child)


def members_of(network: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = os.stat(folder / "ns/net").st_ino == network
            sleeping = (folder / "comm").read_text().strip() in {"sleep", "python3"}
        except OSError:
            continue
        stat = read_stat(int(folder.name))
        if inside and sleeping and stat is not None and not stat.dead:
            found.append(stat.pid)
    return found


def test_a_process_that_left_the_machine_s_network_is_not_its_service(
    machine: NetnsMachine, topology: str, host: Host
) -> None:
    """As after `ip netns delete` and an apply: the old process is in the old, nameless namespace."""
    old = machine.start(Program("app", SLEEP, digest="d"))
    subprocess.run(["ip", "netns", "delete", f"{topology}.m"], check=True)
    (process,) = DRIVER.processes(world.scope_of(topology), host)["m"].values()
    assert process.trouble == "its machine's namespace is gone"
    world.apply(world.scope_of(topology, world.machine("m")), host)
    assert machine.running() == {}
    new = machine.start(Program("app", SLEEP, digest="d"))
    assert not alive(old.pid)
    assert os.stat(f"/proc/{new.pid}/ns/net").st_ino == os.stat(host.netns_dir / f"{topology}.m").st_ino


def test_services_and_machines_of_other_names_stand_when_one_goes(machine: NetnsMachine) -> None:
    """`app` is no prefix of `app-2`."""
    machine.start(Program("app", SLEEP))
    other = machine.start(Program("app-2", SLEEP))
    machine.stop("app")
    machine.remove("app")
    assert machine.running() == {"app-2": other}


def test_lbkit_that_runs_as_a_service_itself_does_not_stop_itself(topology: str, host: Host) -> None:
    world.apply(world.scope_of(topology, world.machine("m")), host)
    code = (
        "from pathlib import Path\n"
        "from lbkit.base.host import Host\n"
        "from lbkit.machine.netns.machine import NetnsMachine\n"
        f"NetnsMachine({topology!r}, Host(run_dir=Path({str(host.run_dir)!r})), 'm').stop('app')\n"
        "print('done')\n"
    )
    environment = os.environ | {"LBKIT_SERVICE": f"{topology}/m/app", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_log_that_a_service_turned_into_a_link_is_refused(machine: NetnsMachine, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    log = Path(machine.folder("app") / "log")
    log.parent.mkdir(parents=True)
    log.symlink_to(target)
    with pytest.raises(Failure, match="log was to be opened"):
        machine.start(Program("app", ("echo", "hello")))
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(Failure, match="log was to be opened"):
        machine.start(Program("app", ("echo", "hello")))
    assert target.read_text() == "precious"


def test_a_service_runs_with_no_descriptor_of_ours_and_default_signals(machine: NetnsMachine) -> None:
    ignored = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    leak = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        # a C program, for Python itself ignores SIGPIPE
        machine.start(
            Program(
                "app",
                (
                    "sh",
                    "-c",
                    "ls /proc/self/fd | tr '\\n' ' '; echo; grep -E 'Sig(Blk|Ign)' /proc/self/status",
                ),
            )
        )
        until(lambda: len(machine.log("app")) == 3, "it prints")
    finally:
        os.close(leak)
        signal.signal(signal.SIGUSR1, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    descriptors, blocked_mask, ignored_mask = machine.log("app")
    assert descriptors.split()[:3] == ["0", "1", "2"]
    assert len(descriptors.split()) == 4, "and that by which ls reads the folder"
    assert int(blocked_mask.split()[1], 16) == 0
    # 32 and 33 are glibc's own, which its posix_spawn leaves ignored (whoever started us, make for one)
    assert int(ignored_mask.split()[1], 16) & ~(0b11 << 31) == 0


def test_a_service_runs_as_its_user_where_ids_can_be_switched(machine: NetnsMachine) -> None:
    machine.put(machine.folder("app") / "mine", b"", user="nobody")
    machine.start(
        Program("app", ("sh", "-c", "id -un; id -Gn; touch new; stat -c %U . mine new"), user="nobody")
    )
    until(lambda: len(machine.log("app")) == 5, "it prints")
    if host_of(machine).can_switch_user:
        assert machine.log("app") == ("nobody", "nogroup", "nobody", "nobody", "nobody")
    else:
        assert machine.log("app")[0] == "root"


def test_an_unknown_user_is_named(machine: NetnsMachine) -> None:
    host = replace(host_of(machine))
    host.__dict__["can_switch_user"] = True
    with pytest.raises(Failure, match="no-such-user"):
        NetnsMachine(topology_of(machine), host, "m").start(Program("app", SLEEP, user="no-such-user"))


def topology_of(machine: NetnsMachine) -> str:
    return machine.folder("app").parents[2].name


def host_of(machine: NetnsMachine) -> Host:
    return Host(run_dir=Path(machine.folder("app").parents[3]))
