"""What runs between the caller of a sandbox and its command: the keeper, and process 1 inside.

Both are forks of the caller, never return, and hold the other end of its line. On that line go up: UNSHARED,
then nothing, or one JSON report of what failed (`doing`, `errno`); go down: MAPPED, then numbers of signals,
a byte each; its end says that the caller is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from lbkit.base import syscalls as sys_

UNSHARED = b"unshared"
MAPPED = b"mapped"

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, net/if.h
_NAMESPACES = (
    sys_.CLONE_NEWUSER
    | sys_.CLONE_NEWNET
    | sys_.CLONE_NEWNS
    | sys_.CLONE_NEWPID
    | sys_.CLONE_NEWIPC
    | sys_.CLONE_NEWUTS
)
_NAME = "lbkit-sandbox"  # of the host, inside
_HOSTS = "/etc/hosts"
_ROOTS_HOME = "/root"
Mask = set[int | signal.Signals]
_LOST = 125  # exit code where there is no command's; the caller has the report


def keep(line: socket.socket, argv: list[str], env: dict[str, str], mask: Mask) -> NoReturn:
    """Make the namespaces, start process 1 in them, and end as it ends: only its parent learns how.

    Signals stay blocked, but for those that stop a job: they reach the command by the line.
    """
    with _reported(line):
        with _doing("unshare namespaces"):
            sys_.unshare(_NAMESPACES)
        sys_.die_with_parent(signal.SIGKILL)  # after unshare, which forgets it with the old rights
        line.sendall(UNSHARED)
        if line.recv(len(MAPPED)) != MAPPED:
            os._exit(_LOST)
        with _doing("fork process 1"):
            init = os.fork()
        if init == 0:
            _be_init(line, argv, env, mask)
        line.close()
        _, status = os.waitpid(init, 0)
        os._exit(_code(status))


def _be_init(line: socket.socket, argv: list[str], env: dict[str, str], mask: Mask) -> NoReturn:
    """Process 1: furnish the sandbox, run the command, reap orphans. With its end the kernel kills all the rest."""
    sys_.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which for process 1 is to ignore it
    _furnish()
    _have_home(env.get("HOME", ""))
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _noticed)
    env = {
        **env,
        "LBKIT_SANDBOX": "1",
        "TMPDIR": "/run/tmp",
        "PATH": _roots_path(env.get("PATH", os.defpath)),
    }
    env.pop("XDG_RUNTIME_DIR", None)  # lies under the host's /run
    told, tell = os.pipe()
    with _doing("fork the command"):
        command = os.fork()
    if command == 0:
        _become(argv, env, mask, tell)
    os.close(tell)
    if refused := os.read(told, 16):
        raise _Stopped(f"run {argv[0]}", int(refused))
    line.shutdown(socket.SHUT_WR)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    while True:
        ready, _, _ = select.select([line, woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            _reap(command)
        if line in ready:
            numbers = line.recv(64)
            if not numbers:
                os._exit(_LOST)
            for number in numbers:
                os.kill(command, number)


def _become(argv: list[str], env: dict[str, str], mask: Mask, tell: int) -> NoReturn:
    """Be the command. `tell` closes with the exec, or gets the number of the error that kept it from running."""
    signal.set_wakeup_fd(-1)
    for changed in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):  # what Python and init changed
        signal.signal(changed, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - what a sandbox is for
    except OSError as error:
        from lbkit.base.run import stands  # noqa: PLC0415 - only for this bad end

        # a folder of PATH that may not be read is no reason
        number = error.errno if stands(argv[0], env) else errno.ENOENT
        os.write(tell, str(number).encode())
    os._exit(_LOST)


def _reap(command: int) -> None:
    """Take in whatever ended; end with the command."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == command:
            os._exit(_code(status))
        if pid == 0:
            return


def _furnish() -> None:
    """Own /proc, /sys, /run and shared memory, own host name, the loopback up."""
    nothing = sys_.MS_NOSUID | sys_.MS_NODEV
    with _doing("make mounts private"):
        sys_.mount("none", "/", "none", sys_.MS_REC | sys_.MS_PRIVATE)
    with _doing("mount a tmpfs on /run"):
        sys_.mount("tmpfs", "/run", "tmpfs", nothing, "mode=755")
        os.mkdir("/run/netns", 0o755)
        os.mkdir("/run/tmp", 0o700)
        os.chmod("/run/tmp", 0o1777)  # noqa: S103 - as /tmp
    if os.path.isdir("/dev/shm"):  # noqa: S108 - no temporary file, but where shared memory lies
        with _doing("mount a tmpfs on /dev/shm"):
            sys_.mount("tmpfs", "/dev/shm", "tmpfs", nothing, "mode=1777")  # noqa: S108
    with _doing("mount /proc"):
        sys_.mount("proc", "/proc", "proc", nothing | sys_.MS_NOEXEC)
    with contextlib.suppress(PermissionError):  # only shows the links; containers that mask it forbid it
        sys_.mount("sysfs", "/sys", "sysfs", nothing | sys_.MS_NOEXEC)
    if _reads("/sys/module/apparmor/parameters/enabled").startswith("Y"):
        free_daemons()
    with _doing("set the host name"):
        socket.sethostname(_NAME)
    if os.path.isfile(_HOSTS):
        with _doing(f"add the host name to {_HOSTS}"):
            _know_own_name()
    with _doing("raise the loopback"):
        raise_loopback()


def _know_own_name() -> None:
    """Who asks for the host's own name, as servers do when they start, would wait for name servers that are out of reach."""
    with open(_HOSTS, "rb") as hosts:
        known = hosts.read()
    if _NAME.encode() in known:  # inside of another sandbox
        return
    with open("/run/hosts", "xb") as own:
        own.write(known + f"\n127.0.0.1 {_NAME}\n".encode())
    os.chmod("/run/hosts", 0o644)
    sys_.mount("/run/hosts", _HOSTS, "", sys_.MS_BIND)
    os.unlink("/run/hosts")


def _have_home(home: str) -> None:
    """An ordinary user is root here, and programs that look up root's home (Ansible, ssh) find one that others may not enter.

    There the user's own is, then. Best effort: those that go by HOME do without.
    """
    if os.path.isdir(home) and not os.access(_ROOTS_HOME, os.W_OK | os.X_OK):
        with contextlib.suppress(OSError):
            sys_.mount(home, _ROOTS_HOME, "", sys_.MS_BIND | sys_.MS_REC)


def free_daemons() -> None:
    """Let daemons of /usr/sbin be found under /usr/local/sbin first, below what lies there itself.

    AppArmor ties some to their own folders by path (Debian's named to /etc/bind and /var/cache/bind), and inside
    they shall use files of /run. By another path they have no profile: they run with the user's rights, as all
    does here. Best effort: overlays may be missing, and most topologies run no such daemon.
    """
    with contextlib.suppress(OSError):
        layers = "lowerdir=/usr/local/sbin:/usr/sbin"
        sys_.mount("overlay", "/usr/local/sbin", "overlay", sys_.MS_NOSUID | sys_.MS_NODEV, layers)


def _reads(path: str) -> str:
    """The content, or nothing where there is no such file."""
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def raise_loopback() -> None:
    """Set `lo` of the calling thread's network up, which brings its addresses (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH22x", b"lo", 0)  # struct ifreq: name, flags
        (flags,) = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def _roots_path(path: str) -> str:
    """`path` and where daemons lie: the command is root here, but may have come with an ordinary user's PATH."""
    missing = [
        folder for folder in ("/usr/local/sbin", "/usr/sbin", "/sbin") if folder not in path.split(":")
    ]
    return ":".join([path, *missing])


class _Stopped(Exception):
    def __init__(self, doing: str, number: int) -> None:
        self.doing = doing
        self.number = number
        super().__init__(doing)


@contextlib.contextmanager
def _doing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Stopped(what, error.errno or 0) from error


@contextlib.contextmanager
def _reported(line: socket.socket) -> Iterator[None]:
    """Nothing in a fork of the caller may run on in the caller's code: report what failed, and end."""
    try:
        yield
    except _Stopped as stopped:
        with contextlib.suppress(OSError):  # the caller may be gone
            line.sendall(json.dumps({"doing": stopped.doing, "errno": stopped.number}).encode())
    except Exception:  # noqa: BLE001 - a bug: shown, as the interpreter would
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(_LOST)


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor does the work; a handler must stand so that it is written to."""


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
