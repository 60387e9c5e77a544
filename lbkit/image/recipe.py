"""What a built image is made of, as data. Its digest is over all of it, so the same recipe is built once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from lbkit.base.errors import Mistake
from lbkit.base.problems import near

BAKED = Path(__file__).with_name("baked")

FORMAT = 1
"""Part of every digest: raised when the builder makes another image of the same recipe."""


@dataclass(frozen=True, slots=True)
class BakedFile:
    content: str
    mode: int = 0o644


@dataclass(frozen=True)
class Recipe:
    """`files` and `links` (link to target) by their absolute path in the guest; both win over what packages bring.

    `masked` and `enabled` are units of systemd; every unit that packages enable is disabled, so what starts is `enabled` and
    what systemd brings itself. `left_out` are patterns of tar(1) of what packages bring and the image shall not have.
    `modules` are those that the initrd loads, with what they depend on. `size` in bytes, of the file system.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    kernel: str  # the package
    command_line: str
    size: int
    modules: tuple[str, ...]
    files: Mapping[str, BakedFile] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    enabled: Mapping[str, str] = field(default_factory=dict)  # unit to the target that wants it
    left_out: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        data = asdict(
            replace(self, files=dict(self.files), links=dict(self.links), enabled=dict(self.enabled))
        )
        whole = {"format": FORMAT, **data, "init": (BAKED / "init").read_text(encoding="utf-8")}
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def with_packages(self, names: Iterable[str], enabled: Iterable[str] = ()) -> Recipe:
        """The same with more packages, and units that start at boot (after lbkit's own). Mistake where one is no name."""
        names, enabled = list(names), list(enabled)
        _check(names, _PACKAGE, "a Debian package")
        _check(enabled, _UNIT, "a unit of systemd, with its suffix")
        return replace(
            self,
            packages=tuple(sorted({*self.packages, *names})),
            enabled={**self.enabled, **dict.fromkeys(enabled, "multi-user.target")},
        )


_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)  # Debian Policy 5.6.1
_UNIT = re.compile(r"[A-Za-z0-9_.@-]+\.(service|socket|timer|path|target)", re.ASCII)


def _check(names: Iterable[str], form: re.Pattern[str], what: str) -> None:
    for name in names:
        if not form.fullmatch(name):
            raise Mistake(f"{name!r} was to be the name of {what}")


def recipe_of(name: str) -> Recipe:
    try:
        return RECIPES[name]()
    except KeyError:
        raise Mistake(f"{name!r} was to name a recipe", remedy=near(name, RECIPES)) from None


def _debian_12_lb() -> Recipe:
    return Recipe(
        name="debian-12-lb",
        suite="bookworm",
        packages=(
            "ca-certificates",
            "cloud-init",
            "curl",
            "e2fsprogs",
            "haproxy",
            "iproute2",
            "keepalived",
            "klibc-utils",  # what the initrd runs
            "kmod",
            "nftables",
            "nginx-light",
            "openssh-server",
            "procps",
            "python3",
            "qemu-guest-agent",
            "rsync",
            "systemd",
            "systemd-sysv",
            "udev",
        ),
        kernel="linux-image-cloud-amd64",
        command_line=" ".join(_COMMAND_LINE),
        size=4 << 30,
        modules=(
            "virtio_pci",
            "virtio_blk",
            "virtio_console",
            "virtio_net",
            "virtio_balloon",
            "virtio_rng",
            "isofs",
        ),
        files=_files(),
        links={
            "/etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
            **dict.fromkeys((f"/etc/systemd/system-generators/{name}" for name in _GENERATORS), "/dev/null"),
            # interfaces are named and set by lbkit's program alone
            "/etc/udev/rules.d/75-net-description.rules": "/dev/null",
            "/etc/udev/rules.d/80-net-setup-link.rules": "/dev/null",
            "/etc/systemd/network/99-default.link": "/dev/null",
        },
        masked=_MASKED,
        enabled={"lbkit-guest.service": "sysinit.target", "lbkit-grow.service": "multi-user.target"},
        left_out=_LEFT_OUT,
    )


RECIPES = MappingProxyType({"debian-12-lb": _debian_12_lb})

_COMMAND_LINE = (
    "console=ttyS0",
    "quiet",
    "loglevel=3",
    "net.ifnames=0",
    "no_timer_check",  # the rest costs seconds under TCG, and is of no use to a virtual machine
    "8250.nr_uarts=1",
    "cryptomgr.notests",
    "rcupdate.rcu_expedited=1",
    "systemd.show_status=0",
)

_GENERATORS = (
    "cloud-init-generator",
    "systemd-cryptsetup-generator",
    "systemd-debug-generator",
    "systemd-fstab-generator",
    "systemd-getty-generator",
    "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator",
    "systemd-integritysetup-generator",
    "systemd-rc-local-generator",
    "systemd-run-generator",
    "systemd-system-update-generator",
    "systemd-sysv-generator",
    "systemd-veritysetup-generator",
)

_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "cryptsetup.target",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "integritysetup.target",
    "kmod-static-nodes.service",
    "modprobe@.service",
    "proc-sys-fs-binfmt_misc.automount",
    "remote-fs.target",
    "swap.target",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-initctl.socket",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-networkd-wait-online.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-repart.service",
    "systemd-sysctl.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
    "veritysetup.target",
)

_LEFT_OUT = (
    "./dev/*",  # devtmpfs
    "./boot/*",  # the kernel lies beside the image
    "./etc/systemd/system/*.wants/*",
    "./etc/systemd/system/*.requires/*",
    "./etc/ssh/ssh_host_*",  # two machines have no secret in common
    "./etc/apt/apt.conf.d/99mmdebstrap",  # the builder's proxies
    "./etc/apt/sources.list",
    "./etc/apt/sources.list.d/*",
    "./etc/resolv.conf",
    "./etc/hostname",
    "./etc/machine-id",
    "./var/lib/systemd/random-seed",
    "./var/log/*",
    "./var/cache/*",
)


_LESS_URGENT = (
    "systemd-journald.service",
    "systemd-tmpfiles-setup.service",
    "systemd-udev-trigger.service",
    "systemd-udevd.service",
)
_AFTER_LBKIT = BakedFile("# lbkit's program comes first where there is one processor\n[Service]\nNice=15\n")


def _baked(name: str, mode: int = 0o644) -> BakedFile:
    return BakedFile((BAKED / name).read_text(encoding="utf-8"), mode)


def _files() -> dict[str, BakedFile]:
    return {
        "/usr/lib/lbkit/boot": _baked("boot", 0o755),
        "/usr/lib/lbkit/grow": _baked("grow", 0o755),
        "/etc/systemd/system/lbkit-guest.service": _baked("lbkit-guest.service"),
        "/etc/systemd/system/lbkit-grow.service": _baked("lbkit-grow.service"),
        "/etc/systemd/journald.conf.d/lbkit.conf": BakedFile(
            "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nForwardToSyslog=no\nAudit=no\n"
        ),
        # all that hardware of a virtual machine needs of udev: the names of its ports and disks
        "/etc/systemd/system/systemd-udev-trigger.service.d/lbkit.conf": BakedFile(
            "[Service]\nExecStart=\n"
            "ExecStart=-udevadm trigger --type=all --action=add --subsystem-match=virtio-ports "
            "--subsystem-match=block --prioritized-subsystem=virtio-ports\n"
        ),
        **{f"/etc/systemd/system/{unit}.d/nice.conf": _AFTER_LBKIT for unit in _LESS_URGENT},
        "/etc/systemd/system/ssh.service.d/lbkit.conf": BakedFile(
            "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n"
        ),
        "/etc/ssh/sshd_config.d/lbkit.conf": BakedFile(
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        ),
        "/etc/cloud/cloud-init.disabled": BakedFile(""),
        "/etc/hostname": BakedFile("lbkit\n"),
        "/etc/hosts": BakedFile("127.0.0.1 localhost\n::1 localhost\n"),
        "/etc/resolv.conf": BakedFile(""),
        "/etc/fstab": BakedFile("# The kernel mounts all that there is.\n"),
        "/etc/machine-id": BakedFile(""),
    }
