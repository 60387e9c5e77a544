"""What any topology asks of a host, whatever nouns are in it. Looks only; each room adds checks of its own."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from lbkit.base import sandbox
from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.view import Check

KERNEL = (5, 18)  # IFA_PROTO, by which lbkit knows its own addresses
PYTHON = (3, 11)
FREE_BYTES = 64 << 20
DESCRIPTORS = 4096

_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_PROFILES = Path("/etc/apparmor.d")


def host_checks(host: Host) -> Iterator[Check]:
    yield _kernel()
    yield _python()
    yield _rights()
    yield _user_namespaces()
    yield _run_dir(host.run_dir)
    yield _space(host.run_dir)
    yield _descriptors()
    yield from _profile_of_named(host.run_dir)
    yield _systemd()


def _kernel() -> Check:
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    return Check(
        "Linux kernel",
        sys.platform == "linux" and numbers >= KERNEL,
        f"{os.uname().sysname} {release}",
        f"{KERNEL[0]}.{KERNEL[1]} or newer is needed: install Debian 12 or later, or its package linux-image-amd64",
    )


def _python() -> Check:
    return Check(
        "Python",
        sys.version_info >= PYTHON,
        sys.version.split()[0],
        "3.11 or newer is needed: Debian 12's package python3",
    )


def _rights() -> Check:
    root = os.geteuid() == 0
    where = " in a sandbox" if sandbox.inside() else ""
    return Check(
        "rights",
        root,
        f"root{where}" if root else f"an ordinary user (uid {os.geteuid()})",
        "for real use run as root; to try things, `lbkit sandbox -- COMMAND` needs no rights",
        needed=False,
    )


def _user_namespaces() -> Check:
    """By making a sandbox: what keeps an ordinary user from one is too manifold to be read from files."""
    try:
        code = sandbox.enter(["true"])
    except LbkitError as error:
        return Check("sandbox", False, f"{error.wanted}: {error.found}", error.remedy, needed=False)
    return Check(
        "sandbox", code == 0, "works" if code == 0 else f"`true` in it ended with {code}", needed=False
    )


def _run_dir(folder: Path) -> Check:
    stands = _standing(folder)
    good = os.access(stands, os.W_OK | os.X_OK)
    return Check(
        f"write to {folder}",
        good,
        "may be written" if good else f"{stands} may not be written by uid {os.geteuid()}",
        "run as root, or in a sandbox: `lbkit sandbox -- ...`",
        needed=False,
    )


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(_standing(folder)).free
    return Check(
        f"space for {folder}",
        free >= FREE_BYTES,
        f"{free >> 20} MiB free",
        f"{FREE_BYTES >> 20} MiB are needed; where it is a tmpfs: mount -o remount,size=1G /run",
    )


def _descriptors() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS
    return Check(
        "file descriptors",
        enough,
        f"a process may have {soft}, and raise that to {hard}",
        f"HAProxy takes two a connection, {DESCRIPTORS} are little: raise `nofile` in /etc/security/limits.conf",
    )


def _profile_of_named(run_dir: Path) -> Iterator[Check]:
    """Debian's AppArmor profile ties named to /etc/bind and /var/cache/bind; a sandbox runs it without."""
    profile, local = _PROFILES / "usr.sbin.named", _PROFILES / "local" / "usr.sbin.named"
    if sandbox.inside() or _text(_APPARMOR).strip() != "Y" or not profile.exists():
        return
    disabled = (_PROFILES / "disable" / profile.name).exists()
    allowed = str(run_dir) in _text(local)
    yield Check(
        "AppArmor and named",
        disabled or allowed,
        "the profile is disabled"
        if disabled
        else f"{local} lets it work below {run_dir}"
        if allowed
        else f"its profile forbids a named that lbkit starts to use files below {run_dir}",
        f"echo '{run_dir}/** rwlk,' >> {local} && apparmor_parser -r {profile} (Debian's package apparmor)",
        needed=False,
    )


def _systemd() -> Check:
    runs = Path("/run/systemd/system").is_dir()
    found = "runs" if runs else "does not run; lbkit starts and watches services itself"
    return Check("systemd", True, found, needed=False)


def _standing(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
