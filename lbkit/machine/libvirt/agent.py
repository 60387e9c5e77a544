"""A guest by its QEMU guest agent: run programs in it, read and write its files, as its root.

What gets through is small. A command gets through whole where the socket to QEMU takes it at once (agent_call.py). libvirt passes
no answer of more than 4 MiB (REMOTE_STRING_MAX in remote_protocol.x): the output of a program that printed more is lost. An
answer of more than 10 MiB (QEMU_AGENT_MAX_RESPONSE in qemu_agent.c) cuts the agent off until it is restarted. So output goes to
files in the guest first and comes in pieces where it is large, and so does a large stdin the other way.

The agent makes files anybody may write (mode 0666, whatever the umask: commands-posix.c): here it only ever makes
them in a folder that is root's alone.
"""

from __future__ import annotations

import base64
import binascii
import io
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Failure
from lbkit.machine.libvirt.agent_call import AgentRefused, AgentSilent, ask, strange
from lbkit.machine.local.launch import ENVIRONMENT as SERVICE_ENVIRONMENT

if TYPE_CHECKING:
    import libvirt

PATIENCE = 10
"""Seconds that an agent gets for each answer. It has one thread: a guest under emulation can be slow."""

PIECE = 64 << 10
"""Bytes that travel in one command, before base64."""

ANSWER = 1 << 20
"""Bytes that travel in one answer, before base64."""

ENVIRONMENT = SERVICE_ENVIRONMENT | {"HOME": "/root", "USER": "root", "LOGNAME": "root"}
"""What every program gets; the agent's own environment is its service's, often without a HOME."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5  # seconds between questions whether a program has ended

# Spool, most bytes to answer with at once, folder to run in, file with stdin or "", then the program. First line of its
# answer: the exit code, and "whole" where the output follows. Where the agent has died meanwhile, nothing is left behind.
_RUN = """
spool=$1 most=$2 folder=$3 input=$4
shift 4
[ -n "$input" ] || mkdir -m 700 -- "$spool" || exit
if [ -n "$input" ]; then exec <"$input"; fi
(cd -- "$folder" && exec "$@") >"$spool/out" 2>"$spool/err"
code=$?
trap '' PIPE
if [ $(($(wc -c <"$spool/out") + $(wc -c <"$spool/err"))) -le "$most" ]; then
  echo "$code whole"
  cat "$spool/out"
  cat "$spool/err" >&2
  rm -rf -- "$spool"
else
  echo "$code spooled" || rm -rf -- "$spool"
fi
"""
_KILL = 'kill -s KILL -- "-$1"; rm -rf -- "$2"'
_WRITE = """
umask 077
set -C
cat >"$2" && chmod -- "$1" "$2" && mv -fT -- "$2" "$3" && exit
rm -f -- "$2"
exit 1
"""


_BETWEEN_PINGS = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Executed:
    """A program's end: 127 where there was none of that name, 128 and its number where a signal ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


class GuestAgent:
    """Cheap to make, holds nothing open. All calls raise AgentSilent where the guest is out of reach, and other Failures
    where it would not.

    Paths are absolute; the guest needs a POSIX shell, and coreutils and util-linux or their like (busybox).
    """

    def __init__(
        self, domain: libvirt.virDomain, *, patience: int = PATIENCE, clock: Clock | None = None
    ) -> None:
        self._domain = domain
        self._patience = patience
        self._clock = clock or SystemClock()
        self._where = f"domain {domain.name()}"

    def ping(self) -> None:
        """Returns where the agent answers."""
        self._ask("guest-ping")

    def await_start(self) -> None:
        """Returns once the agent answers: a guest that has just come up starts it when it comes to it. As long as one call waits."""
        deadline = self._clock.monotonic() + self._patience
        while True:
            try:
                return self.ping()
            except AgentSilent as silent:
                if not silent.may_come or self._clock.monotonic() >= deadline:
                    raise
            self._clock.sleep(_BETWEEN_PINGS)

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | BinaryIO = b"",
        timeout: float | None = 30.0,
        cwd: str = "/",
        environment: Mapping[str, str] | None = None,
    ) -> Executed:
        """Run a program to its end. After `timeout` seconds (None: never) it and all it started is killed: a Failure.

        `environment` is added to ENVIRONMENT. What the program leaves behind in the background is not waited for.
        """
        stream = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        spool = f"/tmp/lbkit-{secrets.token_hex(8)}"  # noqa: S108 - the guest's; made with mkdir, which takes no other's
        first = stream.read(PIECE)
        rest = stream.read(1) if len(first) == PIECE else b""
        given: dict[str, Any] = {
            "env": [f"{name}={value}" for name, value in (ENVIRONMENT | dict(environment or {})).items()]
        }
        try:
            if rest:
                self._plain("mkdir", "-m", "700", "--", spool)
                self._fill(f"{spool}/in", first + rest, stream)
            elif first:
                given["input-data"] = _encoded(first)
            words = [spool, str(ANSWER), cwd, f"{spool}/in" if rest else "", *argv]
            pid = self._start("setsid", ["sh", "-c", _RUN, "sh", *words], given)
            report, errors = self._ended(pid, argv, spool, timeout)
            head, _, output = report.partition(b"\n")
            code, _, how = head.decode("ascii", "replace").partition(" ")
            if not code.isdecimal() or len(code) > 3 or how not in {"whole", "spooled"}:
                raise Failure(
                    f"{argv[0]} was to be run",
                    found=errors.decode(errors="replace").strip()[-500:] or "the guest's shell failed",
                    where=self._where,
                    remedy="look for space in /tmp of the guest",
                )
            if how == "spooled":
                output, errors = (b"".join(self._pieces(f"{spool}/{each}")) for each in ("out", "err"))
                self._plain("rm", "-rf", "--", spool)
            return Executed(int(code), output, errors)
        except AgentRefused:
            if rest:
                self._plain("rm", "-rf", "--", spool)
            raise

    def read(self, path: str) -> bytes | None:
        """A whole file, or None where there is none."""
        found = io.BytesIO()
        return found.getvalue() if self.fetch(path, found) else None

    def fetch(self, path: str, to: BinaryIO) -> bool:
        """Append a whole file to `to`; False where there is none."""
        try:
            to.writelines(self._pieces(path))
        except AgentRefused as error:
            # the agent's words are of the guest's language
            if self.execute(["test", "-e", path]).returncode == 0:
                error.where = f"{self._where}, {path}"
                raise
            return False
        return True

    def write(self, path: str, content: bytes | BinaryIO, *, mode: int = 0o644) -> None:
        """Write a whole file, atomically; its folder must be there. What it was before does not matter."""
        folder, _, name = path.rpartition("/")
        new = f"{folder}/.{name}.{secrets.token_hex(4)}"
        done = self.execute(["sh", "-c", _WRITE, "sh", f"{mode:04o}", new, path], stdin=content, timeout=None)
        if done.returncode != 0:
            raise Failure(
                f"{path} was to be written",
                found=done.stderr.decode(errors="replace").strip()[-500:],
                where=self._where,
                remedy="its folder must be there, and have space",
            )

    def _ask(self, command: str, **arguments: Any) -> Any:
        return ask(self._domain, self._patience, command, **arguments)

    def _start(self, program: str, words: Sequence[str], given: Mapping[str, Any]) -> int:
        """The pid of a program that was started as the leader of its own session, by setsid(1)."""
        answer = self._ask("guest-exec", path=program, arg=list(words), **given, **{"capture-output": True})
        pid = answer.get("pid") if isinstance(answer, dict) else None
        if not isinstance(pid, int) or pid <= 1:
            raise strange("guest-exec", answer, self._where)
        return pid

    def _ended(self, pid: int, argv: Sequence[str], spool: str, timeout: float | None) -> tuple[bytes, bytes]:
        """Output and errors of the program, once it has ended. There is nothing to wait on: it is asked again."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                status = self._ask("guest-exec-status", pid=pid)
            except AgentRefused as error:
                raise AgentSilent(
                    f"`{shlex.join(argv)[:200]}` was to end",
                    found=f"the agent no longer knows it, as after a restart: {error.found}",
                    where=self._where,
                    remedy="look into the guest for what became of it",
                ) from error
            if not isinstance(status, dict):
                raise strange("guest-exec-status", status, self._where)
            if status.get("exited"):
                return self._decoded(status.get("out-data", "")), self._decoded(status.get("err-data", ""))
            left = _LONGEST_PAUSE if deadline is None else deadline - self._clock.monotonic()
            if left <= 0:
                self._start("sh", ["-c", _KILL, "sh", str(pid), spool], {})
                raise Failure(
                    f"`{shlex.join(argv)[:200]}` was to end within {timeout:g} s",
                    found="it still ran, and was killed",
                    where=self._where,
                )
            self._clock.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _plain(self, *argv: str) -> None:
        """A small command of the guest that must succeed, in a spool's stead."""
        pid = self._start(argv[0], argv[1:], {})
        _, errors = self._ended(pid, argv, "", self._patience)
        if errors:
            raise Failure(
                f"`{shlex.join(argv)}` was to succeed",
                found=errors.decode(errors="replace").strip()[-500:],
                where=self._where,
            )

    def _pieces(self, path: str) -> Iterator[bytes]:
        handle = self._ask("guest-file-open", path=path, mode="r")
        try:
            while True:
                answer = self._ask("guest-file-read", handle=handle, count=ANSWER)
                if not isinstance(answer, dict):
                    raise strange("guest-file-read", answer, self._where)
                piece = self._decoded(answer.get("buf-b64", ""))
                yield piece
                if answer.get("eof") or not piece:
                    return
        finally:
            self._ask("guest-file-close", handle=handle)

    def _fill(self, path: str, first: bytes, stream: BinaryIO) -> None:
        handle = self._ask("guest-file-open", path=path, mode="w")
        try:
            piece = first
            while piece:
                answer = self._ask("guest-file-write", handle=handle, **{"buf-b64": _encoded(piece)})
                written = answer.get("count") if isinstance(answer, dict) else None
                if not isinstance(written, int) or not 0 < written <= len(piece):
                    raise strange("guest-file-write", answer, self._where)
                piece = piece[written:] or stream.read(PIECE)
        finally:
            self._ask("guest-file-close", handle=handle)

    def _decoded(self, text: object) -> bytes:
        try:
            return base64.b64decode(text if isinstance(text, str) else b"!", validate=True)
        except binascii.Error as error:
            raise strange("in base64", text, self._where) from error


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
