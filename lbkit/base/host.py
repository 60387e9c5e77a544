"""The host that lbkit acts on: where it may write, how it runs programs and tells time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.run import LocalRunner, Runner

RUN_DIR = Path("/run/lbkit")
IMAGE_DIR = Path("/var/lib/lbkit/images")
NETNS_DIR = Path("/run/netns")  # where iproute2 looks, so that `ip netns exec` works on what lbkit made


def image_dir() -> Path:
    """Where images are kept: what LBKIT_IMAGES says, root's own place, or an ordinary user's (XDG Base Directory)."""
    if given := os.environ.get("LBKIT_IMAGES"):
        return Path(given).absolute()
    if _has_many_ids():
        return IMAGE_DIR
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "lbkit" / "images"


@dataclass(frozen=True)
class Host:
    """Effects as arguments. All files of a topology live in `run_dir/<topology>`: like the namespaces and
    processes they belong to, they do not outlive a reboot (docs/adr/0002). Images do, in `image_dir`.
    """

    run_dir: Path = RUN_DIR
    netns_dir: Path = NETNS_DIR
    clock: Clock = field(default_factory=SystemClock)
    runner: Runner = field(default_factory=LocalRunner)
    image_dir: Path = field(default_factory=image_dir)

    def folder(self, topology: str) -> Path:
        return self.run_dir / topology

    @cached_property
    def can_switch_user(self) -> bool:
        """Whether daemons may drop to a user of their own: in a sandbox of an ordinary user only id 0 exists."""
        return _has_many_ids()


def _has_many_ids() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        ranges = Path("/proc/self/uid_map").read_text(encoding="ascii").split("\n")
    except OSError:
        return False
    return sum(int(line.split()[2]) for line in ranges if line.strip()) > 1
