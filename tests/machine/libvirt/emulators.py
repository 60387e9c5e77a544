"""The QEMUs of a libvirtd of ours, by the domains that they run: libvirt notes the process of each."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from lbkit.hypervisor.daemon import Daemon


def emulators(daemon: Daemon) -> dict[str, int]:
    """Domain to process."""
    found = {}
    for file in (daemon.folder / "run" / "qemu").glob("*.pid"):
        pid = _pid(file)
        if file.name != "driver.pid" and pid is not None and is_qemu(pid):
            found[file.name.removesuffix(".pid")] = pid
    return found


def _pid(file: Path) -> int | None:
    """None of a domain that just starts, or just ended: the file is empty for a moment, or gone."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def kill(daemon: Daemon, domain: str) -> None:
    """`kill -9` its QEMU. Returns when it is gone."""
    descriptor = os.pidfd_open(emulators(daemon)[domain])
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def is_qemu(pid: int) -> bool:
    try:
        return "qemu" in Path(f"/proc/{pid}/comm").read_text(encoding="ascii")
    except OSError:
        return False
