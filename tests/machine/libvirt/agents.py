"""Guest agents without a guest: the real qemu-ga on this host, and a fake one that fails when told to.

Both stand behind a stand-in of libvirt_qemu.qemuAgentCommand with libvirt's limits and errors.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import libvirt

REMOTE_STRING_MAX = 4 << 20  # src/remote/remote_protocol.x
TAKEN_AT_ONCE = (
    160 << 10
)  # bytes that a unix socket takes for certain (net.core.wmem_default, less what it costs)


def error(code: int, words: str) -> libvirt.libvirtError:
    made = libvirt.libvirtError(words)
    made.err = (code, libvirt.VIR_FROM_QEMU, words, libvirt.VIR_ERR_ERROR, None, None, None, -1, -1)
    return made


class Agent(Protocol):
    def answer(self, request: str, timeout: int) -> str:
        """The line that the agent answers with; libvirtError where there is none."""
        ...


@dataclass
class Domain:
    """As much of a libvirt domain as GuestAgent asks for."""

    agent: Agent
    spools: set[str] = field(default_factory=set)

    def name(self) -> str:
        return "t.m.1"


def command(domain: Any, request: str, timeout: int, flags: int) -> str:
    """See virDomainQemuAgentCommand."""
    domain.spools.update(re.findall(r"/tmp/lbkit-[0-9a-f]{16}", request))
    if len(request) > TAKEN_AT_ONCE:  # it arrives garbled
        raise error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE, "Guest agent not available for now")
    text = domain.agent.answer(request, timeout)
    if len(text) > REMOTE_STRING_MAX:
        raise error(libvirt.VIR_ERR_RPC, "Unable to encode message payload")
    try:
        reply = json.loads(text)
    except ValueError:
        return text
    if "error" in reply:
        name = json.loads(request)["execute"]
        words = f"internal error: unable to execute QEMU agent command '{name}': {reply['error']['desc']}"
        raise error(libvirt.VIR_ERR_INTERNAL_ERROR, words)
    return text


@dataclass
class QemuGa:
    path: str

    def answer(self, request: str, timeout: int) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(timeout)
                connection.connect(self.path)
                connection.sendall(request.encode() + b"\n")
                with connection.makefile("rb") as stream:
                    line = stream.readline()
        except OSError as failed:
            raise error(
                libvirt.VIR_ERR_AGENT_UNRESPONSIVE, f"Guest agent is not responding: {failed}"
            ) from failed
        if not line:
            raise error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE, "QEMU guest agent is not connected")
        return line.decode()


@contextmanager
def qemu_ga(folder: Path, name: str = "ga") -> Iterator[tuple[QemuGa, subprocess.Popen[bytes]]]:
    """The real agent, as Debian has it, listening where QEMU would be."""
    from tests.machine.world import until  # noqa: PLC0415 - costs what others who ask an agent need not pay

    path = folder / f"{name}.sock"
    argv = ["qemu-ga", "-m", "unix-listen", "-p", path, "-t", folder, "-f", folder / f"{name}.pid"]
    environment = {"PATH": os.environ["PATH"] + ":/usr/sbin"}  # as a unit has it: no HOME
    with subprocess.Popen(argv, env=environment, cwd="/") as process:
        try:
            agent = QemuGa(str(path))
            until(path.exists, "qemu-ga listens")
            yield agent, process
        finally:
            process.kill()


@dataclass
class Started:
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes]


@dataclass
class FakeAgent:
    """Speaks as qemu-ga does; `before` is asked about each command, and may raise or give another answer."""

    before: Callable[[str], str | None] = lambda _: None
    running: dict[int, Started] = field(default_factory=dict)
    open_files: dict[int, IO[bytes]] = field(default_factory=dict)

    def answer(self, request: str, timeout: int) -> str:
        wanted = json.loads(request)
        name = wanted["execute"]
        if (instead := self.before(name)) is not None:
            return instead
        arguments = {key.replace("-", "_"): value for key, value in wanted.get("arguments", {}).items()}
        try:
            made = getattr(self, name.replace("-", "_"))(**arguments)
        except (OSError, LookupError) as failed:
            return json.dumps({"error": {"class": "GenericError", "desc": str(failed)}})
        return json.dumps({"return": made})

    def close(self) -> None:
        for started in self.running.values():
            started.process.wait(10)
            started.output.close()
            started.errors.close()

    def guest_ping(self) -> dict[str, Any]:
        return {}

    def guest_exec(
        self,
        path: str,
        arg: list[str],
        *,
        env: list[str] | None = None,
        input_data: str = "",
        capture_output: bool = False,
    ) -> dict[str, Any]:
        environment = dict(each.split("=", 1) for each in env) if env is not None else None
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by guest-exec-status
        errors = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as stdin:
            stdin.write(base64.b64decode(input_data))
            stdin.seek(0)
            process = subprocess.Popen(
                [path, *arg], env=environment, cwd="/", stdin=stdin, stdout=output, stderr=errors
            )
        self.running[process.pid] = Started(process, output, errors)
        return {"pid": process.pid}

    def guest_exec_status(self, pid: int) -> dict[str, Any]:
        started = self.running[pid]
        if started.process.poll() is None:
            return {"exited": False}
        del self.running[pid]
        texts = []
        for stream in (started.output, started.errors):
            with stream:
                stream.seek(0)
                texts.append(base64.b64encode(stream.read()).decode())
        code = started.process.returncode
        return {"exited": True, "exitcode": code, "out-data": texts[0], "err-data": texts[1]}

    def guest_file_open(self, path: str, mode: str) -> int:
        stream = open(path, f"{mode}b")  # noqa: SIM115 - closed by guest-file-close
        if mode == "w":
            os.fchmod(stream.fileno(), 0o666)
        self.open_files[stream.fileno()] = stream
        return stream.fileno()

    def guest_file_read(self, handle: int, count: int) -> dict[str, Any]:
        piece = self.open_files[handle].read(count)
        return {"count": len(piece), "buf-b64": base64.b64encode(piece).decode(), "eof": len(piece) < count}

    def guest_file_write(self, handle: int, buf_b64: str) -> dict[str, Any]:
        return {"count": self.open_files[handle].write(base64.b64decode(buf_b64)), "eof": False}

    def guest_file_close(self, handle: int) -> dict[str, Any]:
        self.open_files.pop(handle).close()
        return {}
