"""What runs between lbkit and a libvirtd of its own: furnishes a mount namespace, and becomes libvirtd.

A program of its own, as only a process with one thread may arrange this without harm to others. It is given JSON:
`binds` ([source, target] each), `hide` (a file to lay over /dev/kvm, or null), `own` (whether the mounts go into a new
namespace), `namespace` (a descriptor of one to enter instead, or null), `argv`, `environment`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from lbkit.base import syscalls as sys_

_MS_RDONLY, _MS_REMOUNT = 1, 32  # linux/mount.h
KVM = "/dev/kvm"


def main(text: str) -> NoReturn:
    given = json.loads(text)
    if given["namespace"] is not None:
        sys_.setns(given["namespace"], sys_.CLONE_NEWNS)
    else:
        if given["own"]:
            sys_.unshare(sys_.CLONE_NEWNS)
            sys_.mount("none", "/", "none", sys_.MS_REC | sys_.MS_PRIVATE)
        for source, target in given["binds"]:
            sys_.mount(source, target, "none", sys_.MS_BIND)
        if given["hide"] is not None:
            hide_kvm(given["hide"])
    os.chdir("/")
    os.execve(given["argv"][0], given["argv"], given["environment"])  # noqa: S606 - what this program is for


def hide_kvm(cover: str) -> None:
    """Lay an empty file over /dev/kvm that not even root may write.

    libvirt asks access(2) for it, as the user of its QEMUs: what it may open, and what QEMU could do nothing with, it
    takes for news and probes QEMU again, for seconds at each call (qemu_capabilities.c, virQEMUCapsIsValid). /dev/null in
    its place would do that; a file of a read-only mount does not.
    """
    if not os.path.exists(KVM):
        return
    Path(cover).touch()
    sys_.mount(cover, KVM, "none", sys_.MS_BIND)
    sys_.mount("none", KVM, "none", _MS_REMOUNT | sys_.MS_BIND | _MS_RDONLY)


if __name__ == "__main__":
    main(sys.argv[1])
