"""The host that lbkit acts on: where it may write, how it runs programs and tells time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.run import LocalRunner, Runner

RUN_DIR = Path("/run/lbkit")
NETNS_DIR = Path("/run/netns")  # where iproute2 looks, so that `ip netns exec` works on what lbkit made


@dataclass(frozen=True)
class Host:
    """Effects as arguments. All files of a topology live in `run_dir/<topology>`: like the namespaces and
    processes they belong to, they do not outlive a reboot (docs/adr/0002).
    """

    run_dir: Path = RUN_DIR
    netns_dir: Path = NETNS_DIR
    clock: Clock = field(default_factory=SystemClock)
    runner: Runner = field(default_factory=LocalRunner)

    def folder(self, topology: str) -> Path:
        return self.run_dir / topology

    @cached_property
    def can_switch_user(self) -> bool:
        """Whether daemons may drop to a user of their own: in a sandbox of an ordinary user only id 0 exists."""
        if os.geteuid() != 0:
            return False
        try:
            ranges = Path("/proc/self/uid_map").read_text(encoding="ascii").split("\n")
        except OSError:
            return False
        return sum(int(line.split()[2]) for line in ranges if line.strip()) > 1
