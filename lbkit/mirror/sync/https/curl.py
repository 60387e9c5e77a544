"""curl, as it is called for a few files one after the other, over one connection. All that it is told stands on its stdin."""

from __future__ import annotations

import math
import os
import secrets
import select
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.files import read
from lbkit.base.run import MissingProgram
from lbkit.mirror.sync.upstream import Web

_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
_LAST = 4000  # bytes of its words that an error tells
_HEADERS = 1 << 20  # bytes of all headers of one answer: more is no answer


@dataclass(frozen=True, slots=True)
class Order:
    """`to` is a file that is gone on with where it has something already; None: only the headers are asked for."""

    url: str
    to: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 where none came; `headers` are the last answer's, after all redirects, by names in small letters."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """`answers` are those of the first orders, in their order: the last of them failed where `code` is not 0. `late`: it was time."""

    code: int
    words: str
    answers: Sequence[Answer]
    late: bool = False


@dataclass(slots=True)
class Curl:
    """`silence` is after how many seconds without a byte it gives up. Any thread may call; `close` ends all calls for good."""

    upstream: Web
    silence: float = 300.0
    program: str = "curl"
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set, init=False)
    _closed: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def call(
        self,
        orders: Sequence[Order],
        *,
        rate: int | None = None,
        most: int | None = None,
        left: float | None = None,
    ) -> Ended:
        """Carry them out, to the first that fails. `rate` in bytes a second, `most` bytes of one file, `left` seconds for all."""
        for program in (self.program, _DIES_WITH_US[0]):
            if shutil.which(program) is None:
                raise MissingProgram(program)
        mark = secrets.token_hex(16)  # no header of upstream's is taken for a word of curl's
        told = self._told(orders, mark, rate, most)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*_DIES_WITH_US, self.program, "-q", "--config", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "LC_ALL": "C"},  # with the mark of the service that it is a part of
            )
            try:
                with self._lock:
                    if self._closed:
                        process.kill()
                    self._running.add(process)
                output, late = _said(process, told, _HEADERS * len(orders), left)
            finally:
                with self._lock:
                    self._running.discard(process)
                    process.kill()
                process.wait()
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - _LAST))
            words = errors.read().decode(errors="replace").strip()
        return Ended(process.returncode, words, _answers(output, mark.encode()), late)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()

    def _told(self, orders: Sequence[Order], mark: str, rate: int | None, most: int | None) -> bytes:
        """Its configuration (curl(1), --config)."""
        upstream = self.upstream
        words: list[tuple[str, str]] = [
            ("proto", f"={upstream.protocols}"),
            ("proto-redir", f"={upstream.protocols}"),
            ("max-redirs", "5"),
            ("connect-timeout", f"{min(30.0, self.silence):.3f}"),
            ("speed-limit", "1"),
            ("speed-time", f"{max(1, round(self.silence))}"),
            ("user-agent", "lbkit"),
            ("dump-header", "-"),
        ]
        if upstream.ca_file:
            words.append(("cacert", upstream.ca_file))
        if upstream.user:
            words.append(("user", f"{upstream.user}:{_password(upstream.password_file)}"))
        if rate is not None:
            words.append(("limit-rate", str(max(1, rate))))
        if most is not None:
            words.append(("max-filesize", str(most)))
        flags = ["silent", "show-error", "fail-early", "location", "globoff", "no-progress-meter"]
        if all(order.to is None for order in orders):
            flags.append("head")
        else:
            flags += ["fail", "remote-time"]
            words.append(("continue-at", "-"))
        for order in orders:
            words += [("url", order.url), ("output", "/dev/null" if order.to is None else str(order.to))]
        flags.append(f'write-out = "{mark} %{{http_code}}\\n"')
        lines = [*flags, *(f"{name} = {_quoted(value, name)}" for name, value in words)]
        return b"".join(os.fsencode(line) + b"\n" for line in lines)


def _quoted(text: str, what: str) -> str:
    if any(character < " " or character == "\x7f" for character in text):
        raise Failure("a word for curl was to be plain", found=f"a control character in `{what}`")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _password(file: str) -> str:
    path = Path(file)
    content = read(path)
    if content is None:
        raise Failure("the file of a password was to be read", found="there is none", where=file)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Failure(
            "the file of a password was to be for its owner alone",
            found=f"mode {stat.S_IMODE(path.stat().st_mode):03o}",
            where=file,
            remedy="chmod 600",
        )
    return content.decode(errors="surrogateescape").rstrip("\r\n")


def _said(process: subprocess.Popen[bytes], told: bytes, most: int, left: float | None) -> tuple[bytes, bool]:
    """What it wrote until it ended; and whether it was ended, as no time was left. The caller waits for it."""
    assert process.stdin is not None  # noqa: S101 - PIPE
    assert process.stdout is not None  # noqa: S101 - PIPE
    with process.stdin, process.stdout:
        try:
            process.stdin.write(told)
            process.stdin.close()
        except BrokenPipeError:  # its exit code tells
            pass
        until = None if left is None else time.monotonic() + left
        output = bytearray()
        readable = select.poll()
        readable.register(process.stdout, select.POLLIN)
        while True:
            wait = None if until is None else max(0, math.ceil((until - time.monotonic()) * 1000))
            if not readable.poll(wait):
                process.kill()
                return bytes(output), True
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                process.wait()
                return bytes(output), False
            output += piece
            if len(output) > most:
                process.kill()


def _answers(output: bytes, mark: bytes) -> list[Answer]:
    found = []
    block: list[bytes] = []
    fields: dict[str, str] = {}
    for line in output.split(b"\n"):
        if line.startswith(mark + b" "):
            status = line[len(mark) + 1 :]
            found.append(Answer(int(status) if status.isdigit() else 0, fields))
            block, fields = [], {}
        elif line in {b"\r", b""}:
            fields = _fields(block) if block else fields
            block = []
        else:
            block.append(line)
    return found


def _fields(block: Sequence[bytes]) -> dict[str, str]:
    fields = {}
    for line in block[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            fields[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    return fields
