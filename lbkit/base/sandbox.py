"""A world of its own for one command: user, network, mount, process, IPC and host name namespaces.

Nothing of it is left when the command ends, however it ends. It keeps accidents away from the host, not
attackers: the file system outside /run is the host's, with the rights of whoever started the sandbox.

    caller ── fork ── keeper (makes the namespaces) ── fork ── init, process 1 inside ── fork ── the command

As root (where it has CAP_SETUID) every id of the caller's namespace is mapped to itself; as an ordinary user
only uid and gid 0 exist inside, which are the user's own outside. Ranges of /etc/subuid are not used, so that
it is the same everywhere. user_namespaces(7), pid_namespaces(7).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lbkit.base import sandbox_init
from lbkit.base.errors import Failure, Mistake

VARIABLE = "LBKIT_SANDBOX"  # "1" in the environment of all that runs inside

FORWARDED = frozenset(
    {
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGWINCH,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
_SI_KERNEL = 0x80  # asm-generic/siginfo.h: a terminal's signal, which the command has got as well


class SandboxFailed(Failure):
    """The host would not give a sandbox; `remedy` says how to mend that."""


def inside() -> bool:
    return os.environ.get(VARIABLE) == "1"


def enter(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run `argv` in a new sandbox, in the present folder and on the present terminal, to its end.

    Returns its exit code, 128 + n where signal n ended it. `env` stands for this process's environment; /run,
    TMPDIR and LBKIT_SANDBOX are the sandbox's in any case. Signals to this process go on to the command. Call
    it from the main thread of a process with one thread. Raises Mistake, SandboxFailed.
    """
    _refuse_run()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*FORWARDED, signal.SIGCHLD})
    child_action = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, children would leave no exit code
    ours, theirs = socket.socketpair()
    try:
        keeper = os.fork()
        if keeper == 0:
            ours.close()
            sandbox_init.keep(theirs, list(argv), dict(os.environ if env is None else env), before)
        theirs.close()
        return _attend(keeper, ours)
    finally:
        ours.close()
        signal.signal(signal.SIGCHLD, child_action)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _attend(keeper: int, line: socket.socket) -> int:
    """From the fork to the command's end. `line` carries maps and errors first, then signals to forward."""
    try:
        news = line.recv(65536)
        if news == sandbox_init.UNSHARED:
            _map_ids(keeper)
            line.sendall(sandbox_init.MAPPED)
            news = b"".join(iter(lambda: line.recv(65536), b""))
    except OSError as error:
        news = json.dumps({"doing": "map ids", "errno": error.errno}).encode()
        line.close()  # the keeper takes that for the end
    if news:
        os.waitpid(keeper, 0)
        report = json.loads(news)
        raise _explained(report["doing"], int(report["errno"]))
    while True:
        ended, status = os.waitpid(keeper, os.WNOHANG)
        if ended:
            return _code(status)
        got = signal.sigwaitinfo({*FORWARDED, signal.SIGCHLD})
        if got.si_signo != signal.SIGCHLD and got.si_code != _SI_KERNEL:
            try:
                line.send(bytes([got.si_signo]), socket.MSG_NOSIGNAL)
            except BrokenPipeError:
                continue  # it has just ended; SIGCHLD is on its way


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _map_ids(keeper: int) -> None:
    """Write the maps of the keeper's user namespace. Only a process outside may map more than its own id."""
    process = Path(f"/proc/{keeper}")
    if os.geteuid() == 0:
        try:
            for name in ("uid_map", "gid_map"):
                (process / name).write_text(_same(Path("/proc/self", name).read_text("ascii")), "ascii")
        except PermissionError:
            pass  # root without CAP_SETUID, as in some containers: as an ordinary user
        else:
            return
    (process / "setgroups").write_text("deny", "ascii")
    (process / "uid_map").write_text(f"0 {os.geteuid()} 1", "ascii")
    (process / "gid_map").write_text(f"0 {os.getegid()} 1", "ascii")


def _same(table: str) -> str:
    """Every id that `table` maps, mapped to itself: "0 1000 1" is "0 0 1" to those who live inside."""
    rows = (line.split() for line in table.splitlines())
    return "".join(f"{inside} {inside} {count}\n" for inside, _outside, count in rows)


def _refuse_run() -> None:
    """/run is covered by an empty one inside: nothing that the command needs may lie there."""
    try:
        folder = os.getcwd()
    except FileNotFoundError as error:
        raise Mistake("the sandbox was to start in the present folder", found="it was removed") from error
    for what, path in (
        ("the present folder", folder),
        ("Python", sys.executable),
        ("Python", sys.base_prefix),
        ("lbkit", __file__),
    ):
        real = os.path.realpath(path)
        if real == "/run" or real.startswith("/run/"):
            raise Mistake(
                f"{what} was to stand outside /run, which is an empty one inside a sandbox",
                found=real,
                remedy="move it elsewhere, or start from another folder",
            )


def _explained(doing: str, number: int) -> Failure:
    """What the kernel's word means here, and how to mend it."""
    words = os.strerror(number)
    if doing.startswith("run "):
        return Failure(f"{doing[4:]!r} was to be run in the sandbox", found=words)
    return SandboxFailed(f"a sandbox was to be made: {doing}", found=words, remedy=_remedy(doing))


def _remedy(doing: str) -> str:
    if _knob("kernel/unprivileged_userns_clone") == 0 and os.geteuid() != 0:
        return "as root: sysctl -w kernel.unprivileged_userns_clone=1"
    if _knob("user/max_user_namespaces") == 0:
        return "as root: sysctl -w user.max_user_namespaces=10000"
    if _knob("user/max_net_namespaces") == 0:
        return "as root: sysctl -w user.max_net_namespaces=10000"
    if _knob("kernel/apparmor_restrict_unprivileged_userns") == 1 and os.geteuid() != 0:
        return (
            "AppArmor keeps user namespaces from ordinary users here; "
            "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if "/proc" in doing:
        return "this container masks parts of /proc: start it with --security-opt systempaths=unconfined, or privileged"
    return (
        "in a container its seccomp or AppArmor profile forbids it: start it with "
        "--security-opt seccomp=unconfined --security-opt apparmor=unconfined, or privileged; "
        "elsewhere the kernel needs CONFIG_USER_NS, CONFIG_NET_NS and CONFIG_PID_NS"
    )


def _knob(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", name).read_text("ascii"))
    except (OSError, ValueError):
        return None
