"""Run keepalived, and tell it by a file whether this machine's HAProxy answers. Runs by itself:

    python3 -I -S watch.py SOCKET CONFIG STATE

SOCKET is HAProxy's runtime socket. STATE is keepalived's track_file: 0 while HAProxy answers, 1 while not.
A connection to HAProxy stays open between the questions: when the process dies, the kernel closes it, and
keepalived knows in a millisecond. (A vrrp_script would ask once a second at most, and keepalived never runs one
where setgroups(2) is denied, as in a user namespace: it takes that for success.)

SIGHUP makes keepalived read its configuration again, SIGTERM ends both. When this process dies, however, the
kernel ends keepalived, which gives the address up.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time

BEAT = 0.5  # seconds from question to question
PATIENCE = 2.0  # seconds for an answer, after which HAProxy hangs
STOPPING = 8.0  # seconds that keepalived has to give the address up
STARTS = 3  # keepalived may be started so often
STARTS_WITHIN = 60.0  # in so many seconds

PIDS = {"-p": "keepalived.pid", "-r": "vrrp.pid", "-c": "checkers.pid", "-b": "bfd.pid"}
PR_SET_PDEATHSIG = 1


def main() -> int:
    path, config, state = sys.argv[1:]
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # what came is read from the pipe
    link, trouble = ask(path)
    tell(state, trouble)
    began = [time.monotonic()]
    keepalived = start(config)
    handle = os.pidfd_open(keepalived)
    broken = 0.0  # when HAProxy last closed a connection
    while True:
        ready = wait(BEAT, wake, handle, link)
        if wake in ready:
            for came in os.read(wake, 100):
                if came in {signal.SIGTERM, signal.SIGINT}:
                    return stop(keepalived, handle)
                os.kill(keepalived, came)
        if handle in ready:
            os.close(handle)
            code = os.waitstatus_to_exitcode(os.waitpid(keepalived, 0)[1])
            began = [at for at in began if at > time.monotonic() - STARTS_WITHIN]
            say(f"keepalived ended with code {code}")
            if len(began) >= STARTS:
                return 1
            # a new one begins by removing the addresses that a killed one left
            began.append(time.monotonic())
            keepalived = start(config)
            handle = os.pidfd_open(keepalived)
        closed = link is not None and link.fileno() in ready
        if link is not None:
            link.close()
        if closed and time.monotonic() - broken < BEAT:
            link = None  # it closes what it accepts: no more than a question a beat
            wait(BEAT, wake, handle)
        if closed:
            broken = time.monotonic()
        # a new connection each time: a process that a reload has replaced is not kept from ending
        link, now = ask(path)
        if bool(now) != bool(trouble):
            say(f"HAProxy does not answer: {now}" if now else "HAProxy answers")
            tell(state, now)
        trouble = now


def ask(path: str) -> tuple[socket.socket | None, str]:
    """A connection on which HAProxy has answered, or what is wrong."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(PATIENCE)
    try:
        link.connect(path)
        link.sendall(b"prompt\n")
        if link.recv(256):
            return link, ""
        trouble = "it closed the connection"
    except OSError as error:
        trouble = str(error)
    link.close()
    return None, trouble


def wait(seconds: float, wake: int, handle: int, link: socket.socket | None = None) -> set[int]:
    """The descriptors among these that have something to say."""
    poll = select.poll()
    for descriptor in (wake, handle, *([link.fileno()] if link else [])):
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}


def tell(state: str, trouble: str) -> None:
    """In place, and without cutting it first: that needs no free space, and closing it is what keepalived sees."""
    descriptor = os.open(state, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(descriptor, b"1\n" if trouble else b"0\n", 0)
    finally:
        os.close(descriptor)


def start(config: str) -> int:
    for name in PIDS.values():  # a number in an old file may be another process's by now
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    argv = ["keepalived", "-n", "-l", "-D", "-G", "-f", config]
    argv += [word for pair in PIDS.items() for word in pair]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        # as keepalived expects them; and a SIGTERM between the next lines ends this process, not only its Python
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        say(f"keepalived does not start: {error.strerror}")
    os._exit(127)


def stop(keepalived: int, handle: int) -> int:
    os.kill(keepalived, signal.SIGTERM)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    if not poll.poll(STOPPING * 1000):
        os.kill(keepalived, signal.SIGKILL)
    os.waitpid(keepalived, 0)
    return 0


def say(words: str) -> None:
    with contextlib.suppress(OSError):  # a full disk is no reason to give the address up
        print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
