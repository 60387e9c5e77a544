"""What runs a guest's instructions: KVM where it really boots one, else TCG, QEMU's own translation.

A device node says little: it may be there and work for nothing but a boot sector (a virtual machine without nested
virtualization), or be refused. So QEMU is started with it once for each boot and version of QEMU, for a fraction of
a second, with a guest that ends by itself (probe_rom.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure, make_folder, read, write_atomic
from lbkit.base.host import Host
from lbkit.hypervisor import probe_rom
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.failures import LibvirtFailed, one_line

if TYPE_CHECKING:
    import libvirt

Kind = Literal["kvm", "tcg"]
Wanted = Literal["auto", "kvm", "tcg"]

KVM = Path("/dev/kvm")
_CPU_SECONDS = 3  # of work that takes hardware 0.1
_TIMEOUT = 20.0  # seconds in all: the machine may be busy
_MOST = 16384  # bytes of what QEMU says
_STUCK = b"KVM internal error"  # and QEMU waits for somebody to look at its guest


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`why` is for people: "KVM booted a guest on this machine"."""

    kind: Kind
    why: str


def probe(connection: Connection, wanted: Wanted, host: Host) -> Accelerator:
    """What guests of that libvirt get. Failure where "kvm" is wanted and there is none that works."""
    if wanted == "tcg":
        return Accelerator("tcg", "it is declared")
    if connection.host.simulated:
        return Accelerator("tcg", "libvirt's test driver runs no guest")
    found = kvm_here(host) if connection.host.local else Accelerator("kvm", _UNTRIED)
    if found.kind == "kvm" and (refused := _refused(connection)):
        found = Accelerator("tcg", refused)
    if wanted == "kvm" and found.kind != "kvm":
        raise Failure(
            "guests were to run by KVM",
            found=found.why,
            where=connection.where,
            remedy="let it boot guests there (nested virtualization, rights on /dev/kvm), or declare "
            "`accelerator: auto`, which falls back to TCG",
        )
    return found


_UNTRIED = "libvirt there offers KVM; it was not tried from here"


def _refused(connection: Connection) -> str:
    """Why that libvirt starts no guest by KVM; "" where it would."""

    def ask(raw: libvirt.virConnect) -> None:
        raw.getDomainCapabilities(None, None, None, "kvm")

    try:
        connection.read("libvirt was to offer KVM", ask)
    except LibvirtFailed as error:
        return f"libvirt there offers no KVM: {error.found}"
    return ""


def kvm_here(host: Host, *, note: bool = True) -> Accelerator:
    """Whether KVM boots a guest on this machine. Looked up where that was tried since the boot, and noted for the next."""
    try:
        node = KVM.stat()
    except OSError:
        return Accelerator("tcg", f"there is no {KVM}")
    program = shutil.which(f"qemu-system-{os.uname().machine}")
    if program is None:
        return Accelerator("tcg", f"qemu-system-{os.uname().machine} is not installed")
    if not os.access(KVM, os.R_OK | os.W_OK):
        return Accelerator("tcg", f"{KVM} may not be opened by uid {os.geteuid()}")
    if os.uname().machine != "x86_64":
        return Accelerator("kvm", f"{KVM} may be opened; nothing was tried on {os.uname().machine}")
    binary = os.stat(program)
    # a fact of this boot, this QEMU and this device, to this user
    key: list[str | int] = [
        _boot(),
        *(program, binary.st_ino, binary.st_mtime_ns, binary.st_size),
        *(node.st_rdev, node.st_mode, node.st_uid, node.st_gid),
        os.geteuid(),
    ]
    path = host.run_dir / "accelerator.json"
    known = _known(path, key)
    if known is not None:
        return known
    tried = _try(program)
    if note:
        with contextlib.suppress(FileFailure):  # then the next one tries it again
            make_folder(path.parent)
            write_atomic(path, json.dumps({"key": key, "kind": tried.kind, "why": tried.why}).encode())
    return tried


def kvm_works(host: Host) -> bool:
    return kvm_here(host).kind == "kvm"


def _known(path: Path, key: list[str | int]) -> Accelerator | None:
    try:
        noted = json.loads(read(path) or b"null")
        if noted["key"] != key or noted["kind"] not in {"kvm", "tcg"}:
            return None
        return Accelerator(noted["kind"], str(noted["why"]))
    except (ValueError, KeyError, TypeError):
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def boots(program: str, accelerator: str, cpu: str) -> str:
    """Why QEMU does not boot a guest so; "" where it does. Bounded by processor time and by time."""
    image = os.memfd_create("lbkit-probe")
    try:
        os.write(image, probe_rom.rom())
        argv = [
            *(program, "-accel", accelerator, "-cpu", cpu, "-machine", "pc", "-m", "16"),
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
            *("-device", f"isa-debug-exit,iobase={probe_rom.PORT:#x},iosize=1"),
            *("-bios", f"/proc/self/fd/{image}"),
        ]
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(image,),
        ) as process:
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
                resource.prlimit(process.pid, resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
            said = _listen(process)
            process.kill()
            code = process.wait()
    finally:
        os.close(image)
    if code == probe_rom.DONE:
        return ""
    if code == probe_rom.NO_SSE3:
        return "its processor has no SSE3"
    words = one_line(next((line for line in said.splitlines() if "warning" not in line), ""))
    return words or f"its guest did not come to its end within {_CPU_SECONDS} s"


def _listen(process: subprocess.Popen[bytes]) -> str:
    """What it says until it ends, hangs in a guest that KVM cannot run, or takes too long."""
    assert process.stderr is not None  # noqa: S101 - for the type checker: it was asked for
    said = b""
    deadline = time.monotonic() + _TIMEOUT
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        while len(said) < _MOST and _STUCK not in said:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                break
            piece = os.read(process.stderr.fileno(), 4096)
            if not piece:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(left, 0.1))
                break
            said += piece
    return said.decode(errors="replace")


def _try(program: str) -> Accelerator:
    trouble = boots(program, "kvm", "host")
    if trouble:
        return Accelerator("tcg", f"{KVM} is there, but boots no guest: {trouble}")
    return Accelerator("kvm", "KVM booted a guest on this machine")
