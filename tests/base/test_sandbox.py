"""A sandbox for one command: its inside, and that nothing of it is left outside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.host import Host

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).parents[2]
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")

PYTHON = "/usr/bin/python3"  # every user may run it


@dataclass(frozen=True)
class User:
    """Who runs `lbkit`, and how: root with every id mapped can be an ordinary user too, by setpriv."""

    lbkit: tuple[str, ...]
    path: str
    ordinary: bool = False


PRESENT = User((sys.executable, "-m", "lbkit"), str(REPOSITORY))
USERS = ["present user", "ordinary user"] if Host().can_switch_user else ["present user"]


@pytest.fixture(scope="session")
def ordinary() -> Iterator[User]:
    """Somebody else, with a copy of lbkit that they can read: this checkout may lie in a home."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(REPOSITORY / "lbkit", f"{folder}/lbkit", ignore=shutil.ignore_patterns("__pycache__"))
        become = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
        yield User((*become, PYTHON, "-B", "-m", "lbkit"), folder, ordinary=True)


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> User:
    return PRESENT if request.param == "present user" else request.getfixturevalue("ordinary")


def sandbox(*argv: str, user: User = PRESENT) -> list[str]:
    return [*user.lbkit, "sandbox", "--", *argv]


def options(user: User = PRESENT, mark: str = "") -> dict[str, Any]:
    return {"cwd": "/", "env": {**os.environ, "PYTHONPATH": user.path, "LBKIT_TEST": mark}, "text": True}


def run(*argv: str, user: User = PRESENT, mark: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        sandbox(*argv, user=user), capture_output=True, timeout=60, check=False, **options(user, mark)
    )


@contextlib.contextmanager
def started(*argv: str, user: User = PRESENT, mark: str = "") -> Iterator[subprocess.Popen[str]]:
    """Running, and its first line, "ready", read."""
    with subprocess.Popen(
        sandbox(*argv, user=user), stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options(user, mark)
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def inside(code: str, user: User = PRESENT) -> Any:
    """What Python `code` prints inside, as JSON."""
    done = run(PYTHON, "-I", "-c", f"import json, os, socket\n{code}", user=user)
    assert done.stderr == ""
    assert done.returncode == 0
    return json.loads(done.stdout)


def processes(mark: str) -> list[int]:
    """Those that carry the mark in their environment."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                environment = Path("/proc", entry, "environ").read_bytes()
            except (FileNotFoundError, PermissionError, ProcessLookupError):  # it is ending
                continue
            if f"LBKIT_TEST={mark}".encode() in environment:
                found.append(int(entry))
    return sorted(found)


def namespaces_of_others() -> set[str]:
    """All that a process is in, this one and its threads apart."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/*"):
        try:
            found.add(os.readlink(link))
        except (FileNotFoundError, PermissionError, ProcessLookupError):  # it is ending
            continue
    return found


@pytest.fixture
def mark() -> Iterator[str]:
    """A word for the environment of a sandbox, by which all its processes are found; none is left after the test."""
    word = secrets.token_hex(8)
    yield word
    left = processes(word)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_the_exit_code_is_the_commands(command: str, code: int, user: User) -> None:
    assert run("sh", "-c", command, user=user).returncode == code


def test_input_and_output_are_the_commands() -> None:
    done = subprocess.run(
        sandbox("sh", "-c", "cat; echo e >&2"), input="in", capture_output=True, check=True, **options()
    )
    assert (done.stdout, done.stderr) == ("in", "e\n")


def test_every_namespace_is_its_own(user: User) -> None:
    theirs = inside(f"print(json.dumps([os.readlink(f'/proc/self/ns/{{n}}') for n in {NAMESPACES}]))", user)
    ours = [os.readlink(f"/proc/thread-self/ns/{name}") for name in NAMESPACES]
    assert [name for name, a, b in zip(NAMESPACES, ours, theirs, strict=True) if a == b] == ["cgroup"]


def test_the_user_is_root_inside(user: User) -> None:
    assert inside("print(json.dumps([os.getuid(), os.geteuid(), os.getgid()]))", user) == [0, 0, 0]


def test_root_has_every_id_and_an_ordinary_user_its_own_as_0(user: User) -> None:
    table = inside("print(json.dumps(open('/proc/self/uid_map').read().split()))", user)
    if user.ordinary:
        assert table == ["0", "65534", "1"]
    else:
        rows = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
        assert table == [rows[0], rows[0], rows[2]]


def test_the_command_is_a_child_of_process_1_in_an_own_proc(user: User) -> None:
    found = inside(
        "print(json.dumps([os.getppid(), sorted(e for e in os.listdir('/proc') if e.isdigit())]))", user
    )
    assert found == [1, ["1", "2"]]


def test_run_is_empty_but_for_netns_and_a_place_for_temporary_files(user: User) -> None:
    assert inside("print(json.dumps(sorted(os.listdir('/run'))))", user) == ["netns", "tmp"]
    environment = inside("print(json.dumps(dict(os.environ)))", user)
    assert environment["TMPDIR"] == "/run/tmp"
    assert environment["LBKIT_SANDBOX"] == "1"
    assert "XDG_RUNTIME_DIR" not in environment
    assert {"/usr/sbin", "/sbin"} <= set(environment["PATH"].split(":"))
    assert inside("import tempfile; print(json.dumps(tempfile.mkdtemp()))", user).startswith("/run/tmp/")


def test_it_has_its_own_host_name() -> None:
    before = os.uname().nodename
    assert inside("print(json.dumps(socket.gethostname()))") == "lbkit-sandbox"
    run("hostname", "changed-inside")
    assert os.uname().nodename == before


def test_it_knows_its_own_host_name(user: User) -> None:
    """A server that asks for it when it starts would wait 10 s for name servers, which are out of reach."""
    hosts = Path("/etc/hosts").read_bytes()
    assert inside("print(json.dumps(socket.gethostbyname(socket.gethostname())))", user) == "127.0.0.1"
    assert Path("/etc/hosts").read_bytes() == hosts


def test_roots_home_is_the_users_own(ordinary: User) -> None:
    """Ansible makes its temporary folders below `~root`, as root is who runs it there."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        os.chown(home, 65534, 65534)
        done = subprocess.run(
            sandbox("touch", "/root/here", user=ordinary), check=False,
            **(options(ordinary) | {"env": {**os.environ, "PYTHONPATH": ordinary.path, "HOME": home}}),
        )  # fmt: skip
        assert done.returncode == 0
        assert os.listdir(home) == ["here"]


def test_the_loopback_is_up_and_there_is_nothing_else(user: User) -> None:
    assert inside("print(json.dumps([name for _, name in socket.if_nameindex()]))", user) == ["lo"]
    code = """
server = socket.create_server(('127.0.0.1', 0))
six = socket.create_server(('::1', 0), family=socket.AF_INET6)
socket.create_connection(server.getsockname())
socket.create_connection(six.getsockname()[:2])
try:
    socket.create_connection(('192.0.2.1', 80), timeout=5)
except OSError as error:
    print(json.dumps(error.strerror))
"""
    assert inside(code, user) == "Network is unreachable"


def test_what_the_hosts_loopback_serves_is_out_of_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
try:
    socket.create_connection(('127.0.0.1', {port}), timeout=5)
except OSError as error:
    print(json.dumps(error.strerror))
"""
        assert inside(code) == "Connection refused"


def test_orphans_are_reaped(user: User) -> None:
    code = """
import time
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(writer, b'%d' % os.getpid())
    os._exit(0)
os.wait()
orphan = os.read(reader, 20).decode()
deadline = time.monotonic() + 20
while os.path.exists('/proc/' + orphan) and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps(os.path.exists('/proc/' + orphan)))
"""
    assert inside(code, user) is False


LEAVE_EVERYTHING = """
mount -t tmpfs left /run/tmp
ip link add left type bridge
ip netns add left
echo left > /run/left
echo left > /dev/shm/left
(setsid sleep 1000 &)
echo ready
read -r go
"""


def sleeper(mark: str) -> int:
    """The pid of the process that LEAVE_EVERYTHING starts, seen from out here."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in processes(mark):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\0":
                    return pid
    raise AssertionError("it never began to sleep")


def test_nothing_is_left(user: User, mark: str) -> None:
    def outside() -> tuple[object, ...]:
        return (
            Path("/proc/thread-self/mountinfo").read_text(encoding="utf-8"),
            socket.if_nameindex(),
            sorted(os.listdir("/run/netns")),
            os.path.exists("/run/left"),
            os.path.exists("/dev/shm/left"),
        )

    before = outside()
    with (
        contextlib.ExitStack() as held,
        started("sh", "-ec", LEAVE_EVERYTHING, user=user, mark=mark) as process,
    ):
        inner = sleeper(mark)
        own = {}
        for name in NAMESPACES:
            # held open: the kernel gives the number of a namespace that is gone to the next one that anybody makes
            descriptor = os.open(f"/proc/{inner}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            held.callback(os.close, descriptor)
            own[name] = os.readlink(f"/proc/self/fd/{descriptor}")
        assert process.communicate("go\n", timeout=60)[0] == ""
        assert process.returncode == 0
        assert outside() == before
        assert processes(mark) == []
        assert [name for name in NAMESPACES if own[name] in namespaces_of_others()] == ["cgroup"]


TRAPS = "trap 'echo got {0}; exit 9' {0}; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"])
def test_signals_reach_the_command(name: str) -> None:
    with started("sh", "-c", TRAPS.format(name)) as process:
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.communicate(timeout=30)[0] == f"got {name}\n"
        assert process.returncode == 9


def test_a_signal_that_the_command_dies_of_ends_it(user: User, mark: str) -> None:
    with started("sh", "-c", "echo ready; exec sleep 1000", user=user, mark=mark) as process:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=30) in {143, -15}


def children(pid: int) -> list[int]:
    """`pid` and what hangs below it by first children, `pid` first."""
    line = [pid]
    while below := Path(f"/proc/{line[-1]}/task/{line[-1]}/children").read_text(encoding="ascii").split():
        line.append(int(below[0]))
    return line


def gone(pids: list[int]) -> bool:
    """Wait for every one to end; they are no children of ours."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([descriptor], [], [], 30)
        os.close(descriptor)
        if not ended:
            return False
    return True


WITH_A_DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("which", ["caller", "keeper", "process 1"])
def test_kill_9_leaves_nothing(which: str, user: User, mark: str) -> None:
    with started(PYTHON, "-I", "-c", WITH_A_DAEMON, user=user, mark=mark) as process:
        family = children(process.pid)  # setpriv has become the caller; the last is the daemon
        everybody = processes(mark)
        assert family == everybody
        assert len(everybody) == 5
        os.kill(family[["caller", "keeper", "process 1"].index(which)], signal.SIGKILL)
        assert process.wait(timeout=30) == (-9 if which == "caller" else 137)
        assert gone(everybody)


def test_a_sandbox_in_a_sandbox_in_a_sandbox(user: User) -> None:
    inner = (
        User(user.lbkit[-4:], user.path) if user.ordinary else user
    )  # who needs to become nobody else inside
    innermost = sandbox("sh", "-c", "ip link add deep type bridge && ip -br link; exit 5", user=inner)
    done = run(*sandbox(*innermost, user=inner), user=user)
    assert done.stderr == ""
    assert done.returncode == 5
    assert "deep" in done.stdout


def test_a_missing_program_is_a_failure() -> None:
    done = run("no-such-program")
    assert done.returncode == 1
    assert "'no-such-program' was to be run" in done.stderr
    assert "No such file" in done.stderr


@pytest.mark.parametrize("folder", ["/run", "/run/tmp"])
def test_a_folder_below_run_is_refused(folder: str) -> None:
    done = subprocess.run(sandbox("true"), capture_output=True, check=False, **{**options(), "cwd": folder})
    assert done.returncode == 64
    assert f"found: {folder}" in done.stderr


@pytest.mark.parametrize(
    ("forbid", "remedy"),
    [
        ("echo 0 > /proc/sys/user/max_user_namespaces", "sysctl -w user.max_user_namespaces"),
        ("echo 0 > /proc/sys/user/max_net_namespaces", "sysctl -w user.max_net_namespaces"),
        ("mount -t tmpfs masked /proc/sys", "systempaths=unconfined"),
    ],
)
def test_a_host_that_forbids_it_is_told_how_to_mend_that(forbid: str, remedy: str, user: User) -> None:
    script = f'{forbid}; exec "$@"'
    done = run(
        "sh",
        "-c",
        script,
        "sh",
        *sandbox("true", user=User(user.lbkit[-4:] if user.ordinary else user.lbkit, user.path)),
        user=user,
    )
    assert done.returncode == 1
    assert "a sandbox was to be made" in done.stderr
    assert remedy in done.stderr


def test_daemons_can_have_paths_that_no_apparmor_profile_names(user: User) -> None:
    """What a sandbox does where AppArmor is on: the kernel goes by the path of what is executed."""
    code = f"""
import subprocess, sys
sys.path.insert(0, {user.path!r})
from lbkit.base import sandbox_init
sandbox_init.free_daemons()
with subprocess.Popen(['haproxy', '-f', '/dev/stdin', '-db'], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
    print(json.dumps(os.readlink('/proc/' + str(process.pid) + '/exe')))
"""
    done = run(PYTHON, "-c", f"import json, os\n{code}", user=user)
    assert done.stdout == '"/usr/local/sbin/haproxy"\n'


class Screen:
    """What an interactive shell in a sandbox, on a terminal of its own, shows; and what is typed there.

    Type only to who waits for it: what comes while a shell turns the terminal from one mode to another may lie
    there until the next key.
    """

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self.descriptor = descriptor
        self.process = process
        self.shown = ""

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def wait_for(self, wanted: str) -> str:
        """All that was shown up to and with `wanted`, since the last time."""
        while wanted not in self.shown:
            ready, _, _ = select.select([self.descriptor], [], [], 20)
            assert ready, f"{wanted!r} was to be shown, found {self.shown!r}"
            self.shown += os.read(self.descriptor, 4096).decode()
        before, _, self.shown = self.shown.partition(wanted)
        return before + wanted


@pytest.fixture
def screen(mark: str) -> Iterator[Screen]:
    ours, theirs = os.openpty()
    environment = {**options(mark=mark)["env"], "PS1": "ready> ", "TERM": "dumb"}
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *sandbox("bash", "--norc", "-i")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd="/",
        env=environment,
    ) as process:
        os.close(theirs)
        try:
            yield Screen(ours, process)
        finally:
            process.kill()
            os.close(ours)


# it says so itself, when the shell has made it the terminal's foreground job
RUN_LONG = "sh -c 'echo be\"\"gun; exec sleep 1000'\n"
STOPPED_AND_CONTINUED = """
trap 'echo again; again=1' CONT
echo begun
while [ -z "$again" ]; do sleep 0.05; done
read line
echo "got $line"
exit 5
"""


def test_a_shell_in_it_has_job_control(screen: Screen) -> None:
    assert "job control" not in screen.wait_for("ready> ")  # "no job control in this shell"
    screen.type(RUN_LONG)
    screen.wait_for("begun\r\n")
    screen.type("\x03")  # Ctrl-C ends sleep, not the sandbox
    screen.wait_for("ready> ")
    screen.type("echo code $?\n")
    screen.wait_for("code 130\r\n")
    screen.wait_for("ready> ")
    screen.type(RUN_LONG)
    screen.wait_for("begun\r\n")
    screen.type("\x1a")  # Ctrl-Z
    screen.wait_for("Stopped")
    screen.wait_for("ready> ")
    screen.type("disown -a; echo still he''re\n")
    screen.wait_for("still here\r\n")
    screen.wait_for("ready> ")
    screen.type("exit 7\n")
    assert screen.process.wait(timeout=20) == 7


def test_a_sandbox_is_a_job_like_any_other(screen: Screen) -> None:
    """The shell outside stops and continues it: here it is the shell of another sandbox."""
    screen.wait_for("ready> ")
    with tempfile.NamedTemporaryFile("w", suffix=".sh", dir="/var/tmp") as script:
        script.write(STOPPED_AND_CONTINUED)
        script.flush()
        screen.type(f"{shlex.join(sandbox('sh', script.name))}\n")
        screen.wait_for("begun\r\n")
        screen.type("\x1a")
        screen.wait_for("Stopped")
        screen.wait_for("ready> ")
        screen.type("fg\n")
        screen.wait_for("again\r\n")
        screen.type("typed\n")
        screen.wait_for("got typed\r\n")
        screen.wait_for("ready> ")
    screen.type("exit $?\n")
    assert screen.process.wait(timeout=20) == 5
