"""What there is on a host, in words, so that two moments can be compared: nothing shall be left of a topology."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from lbkit.base.host import NETNS_DIR, RUN_DIR
from lbkit.base.run import LocalRunner
from lbkit.hypervisor.connection import connect
from lbkit.hypervisor.resolved import ResolvedHost


def things(hypervisor: ResolvedHost | None = None) -> frozenset[str]:
    """Links, namespaces, mounts, tables of nftables, processes but for this one, and files of lbkit.

    Of `hypervisor` also domains, pools and volumes.
    """
    virtual = () if hypervisor is None else _virtual(hypervisor)
    return frozenset((*_things(), *virtual))


def _virtual(host: ResolvedHost) -> Iterator[str]:
    raw = connect(host).raw
    for domain in raw.listAllDomains():
        yield f"domain {domain.name()}"
    for pool in raw.listAllStoragePools():
        yield f"pool {pool.name()}"
        if pool.isActive():
            yield from (f"volume {name}" for name in pool.listVolumes())
    for folder, _folders, files in os.walk(host.path):
        yield f"folder {folder}"
        yield from (f"file {folder}/{name}" for name in files)


def _things() -> Iterator[str]:
    yield from (f"link {name}" for _, name in socket.if_nameindex())
    yield from (f"namespace {name}" for name in _names(NETNS_DIR))
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        place = line.split()[4]
        if place != str(NETNS_DIR):  # made once, and kept for whoever makes namespaces next, as iproute2 does
            yield f"mount {place}"
    for line in LocalRunner().run(["nft", "list", "tables"]).stdout.splitlines():
        yield f"nftables {line}"
    for name in _names(Path("/proc")):
        if name.isdigit() and int(name) != os.getpid() and (command := _command(name)):
            yield f"process {name} {command}"
    for folder, _folders, files in os.walk(RUN_DIR):
        yield f"folder {folder}"
        yield from (f"file {folder}/{name}" for name in files)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _command(pid: str) -> str:
    """Empty for one that has ended."""
    try:
        return (
            Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except (FileNotFoundError, ProcessLookupError):
        return ""
