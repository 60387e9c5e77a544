"""Becomes a service: what runs between lbkit and the service's program. Run by `python -I -S`.

The process writes its own record before it executes the program, so that there is no moment at which a killed
lbkit leaves a process that nobody knows. It forks first: its parent is then process 1, or the nearest
subreaper, and lbkit has no children to wait for. Network namespace: that of the thread that started it.

Input, on stdin: a marshalled dict (launch.py writes it). Output, on stderr: `ok PID START_TIME` just before the
program is executed, or `no STAGE ERRNO`; nothing more once it executes, for the descriptor closes then.

It imports nothing of lbkit, and little else: it stands between a person and every service, and takes 10 ms. `signal` brings
`enum` and all that it needs, which is 7 ms more, and half a second in an emulated guest: so what lies beneath that.
"""

import _signal as signal  # type: ignore[import-not-found]  # of Python itself since 3.5, and the same in 3.14
import marshal
import os
import stat
import sys


def main() -> None:
    report = os.dup(2)  # not inheritable (PEP 446): closed when the program is executed
    given = marshal.load(sys.stdin.buffer)  # noqa: S302 - from our own parent; cut short by its death: EOFError
    if os.fork():
        os._exit(0)
    stage = "session"
    try:
        os.setsid()
        pid, start_time = identity()
        stage = "folder"
        os.chdir(given["folder"])
        stage = "log"
        redirect(given["log"])
        stage = "record"
        write_record(given["record"], f'{{"pid": {pid}, "start_time": {start_time}, {given["facts"]}}}')
        stage = "user"
        drop(given["ids"])
        stage = "program"
        os.umask(0o022)
        tell(report, b"ok %d %d\n" % (pid, start_time))
        reset_signals()
        execute(given["argv"], given["environment"])
    except OSError as error:
        tell(report, f"no {stage} {error.errno}\n".encode())
    os._exit(1)


def tell(report: int, line: bytes) -> None:
    try:
        os.write(report, line)
    except BrokenPipeError:
        return  # lbkit was killed; the record is there, and the next apply finds what comes of it


def identity() -> tuple[int, int]:
    with open("/proc/self/stat", "rb") as stream:
        text = stream.read()
    pid = int(text.split(b" ", 1)[0])
    if pid != os.getpid():
        raise OSError(3, "/proc is of another pid namespace")
    return pid, int(text.rpartition(b")")[2].split()[19])


def redirect(log: str) -> None:
    """Give it stdin from /dev/null, stdout and stderr appended to the log: a regular file, and no link to one elsewhere."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(log, flags, 0o640)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise OSError(40, "not a file of its own")
    os.set_blocking(descriptor, True)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def write_record(path: str, text: str) -> None:
    temporary = path + ".new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        data = text.encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(temporary, path)
    except OSError:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def drop(ids: tuple[int, int, list[int]] | None) -> None:
    """To the user, the group and the supplementary groups; for good."""
    if ids is None:
        return
    uid, gid, groups = ids
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def reset_signals() -> None:
    """As a program expects them: Python ignores SIGPIPE and SIGXFSZ, and lbkit's caller may ignore or block others."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def execute(argv: list[str], environment: dict[str, str]) -> None:
    """As execvpe, which imports: a user that cannot read Python's own files could not do that any more."""
    folders = environment.get("PATH", "").split(":") if "/" not in argv[0] else [""]
    failure = OSError(2, "no such program")
    for folder in folders:
        try:
            os.execve(os.path.join(folder, argv[0]), argv, environment)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:  # there, but not to be executed: another one on PATH may be
            failure = error
    raise failure


main()
