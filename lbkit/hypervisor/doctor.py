"""What virtual machines ask of this host, for doctor. Needed only by topologies that have some. Changes nothing."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from lbkit.base import sandbox
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.view import Check
from lbkit.hypervisor import accelerator, pool
from lbkit.hypervisor.connection import Connection, version
from lbkit.hypervisor.failures import LibvirtFailed, Unreachable, binding
from lbkit.hypervisor.resolve import default_host
from lbkit.hypervisor.resolved import ResolvedHost

FREE_BYTES = 2 << 30  # an image of 0.5 GiB, and what a few machines write
TUN = Path("/dev/net/tun")
_GUEST_USERS = ("libvirt-qemu", "qemu")  # Debian's, Fedora's


def checks(host: Host) -> Iterator[Check]:
    local = default_host()
    try:
        number = binding().getVersion()
    except Unreachable as error:
        yield Check("libvirt's Python binding", False, error.found, error.remedy, needed=False)
        return
    written = f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
    yield Check("libvirt's Python binding", True, f"libvirt {written}", needed=False)
    connection = Connection(local)
    try:
        yield _daemon(connection)
        yield _emulator()
        yield _tun()
        yield _accelerator(host)
        yield _pool(connection)
    finally:
        connection.close()


def _daemon(connection: Connection) -> Check:
    try:
        return Check("libvirtd", True, version(connection), needed=False)
    except LibvirtFailed as error:
        return Check("libvirtd", False, error.found, error.remedy, needed=False)


def _emulator() -> Check:
    name = f"qemu-system-{os.uname().machine}"
    path = shutil.which(name)
    remedy = f"apt install qemu-system-{'x86' if os.uname().machine == 'x86_64' else 'arm'} qemu-utils"
    if path is None:
        return Check("QEMU", False, f"{name} is not installed", remedy, needed=False)
    tool = shutil.which("qemu-img")
    return Check("QEMU", tool is not None, f"{path}, {tool or 'no qemu-img'}", remedy, needed=False)


def _tun() -> Check:
    """By opening it: that makes no link yet (Documentation/networking/tuntap.rst)."""
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        remedy = "modprobe tun; in a container give it the device: --device /dev/net/tun"
        return Check(f"{TUN}", False, error.strerror or str(error), remedy, needed=False)
    return Check(f"{TUN}", True, "may be opened", needed=False)


def _accelerator(host: Host) -> Check:
    """No KVM is no fault. One that libvirt's guests may not open is: libvirt asks QEMU about it again at each call."""
    found = accelerator.kvm_here(host, note=False)
    kept_from = _kept_from()
    words = f"{found.kind.upper()}: {found.why}"
    return Check(
        "accelerator",
        not kept_from,
        f"{words}; {accelerator.KVM} may not be opened by {kept_from}, as whom libvirt runs guests"
        if kept_from
        else words,
        "with such a device libvirt probes QEMU anew at each call, for seconds or a minute: chmod 0666 /dev/kvm "
        "(or add that user to its group), or take it away (modprobe -r kvm_intel kvm_amd kvm); "
        "`lbkit sandbox --libvirt` hides it by itself",
        needed=False,
    )


def _kept_from() -> str:
    """The user of libvirt's guests on this host where /dev/kvm is kept from it; "" where it is not, or neither is there."""
    try:
        node = accelerator.KVM.stat()
    except OSError:
        return ""
    if sandbox.inside() or node.st_mode & 0o006 == 0o006:
        return ""
    for name in _GUEST_USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        owns = node.st_uid == user.pw_uid
        shares = node.st_gid in os.getgrouplist(name, user.pw_gid) and node.st_mode & 0o060 == 0o060
        return "" if owns or shares else name
    return ""


def _pool(connection: Connection) -> Check:
    where: ResolvedHost = connection.host
    name = f"space for {where.path}"
    try:
        found = pool.find(connection)
    except Failure as error:
        if isinstance(error, LibvirtFailed):  # told above
            found = None
        else:
            return Check(f"pool {where.pool}", False, error.found, error.remedy, needed=False)
    folder = next(path for path in (Path(where.path), *Path(where.path).parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    state = "the pool stands" if found is not None else "the pool is made when it is needed"
    return Check(
        name,
        free >= FREE_BYTES,
        f"{free >> 20} MiB free; {state}",
        f"{FREE_BYTES >> 20} MiB are little enough for an image and its machines: give the host another `path`",
        needed=False,
    )
