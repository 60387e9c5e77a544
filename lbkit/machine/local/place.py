"""Where things of one machine lie in the run folder.

    machines/MEMBER/SERVICE/               the service's own: its files, sockets, log; it may write here
    machines/MEMBER/SERVICE.process.json   the record of its process
    machines/MEMBER/SERVICE.files.json     the names of the files that lbkit put there
    machines/MEMBER/SERVICE.stage/         changed files while they are checked

What lbkit trusts lies beside the service's folder, not in it: a service must not be able to name another
process as its own. Names of services have no dot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Bug
from lbkit.base.host import Host

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Of one program of one machine."""

    topology: str
    member: str
    service: str
    machine_folder: Path

    @classmethod
    def of(cls, host: Host, topology: str, member: str, service: str) -> Place:
        if not _NAME.match(service):
            raise Bug("a program's name was to be a label", found=repr(service))
        return cls(topology, member, service, machine_folder(host, topology, member))

    @property
    def folder(self) -> Path:
        return self.machine_folder / self.service

    @property
    def record(self) -> Path:
        return self.machine_folder / f"{self.service}.process.json"

    @property
    def stage(self) -> Path:
        return self.machine_folder / f"{self.service}.stage"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def mark(self) -> str:
        """The value of LBKIT_SERVICE."""
        return f"{self.topology}/{self.member}/{self.service}"

    @property
    def where(self) -> str:
        return f"service {self.member}/{self.service}"


def machines_folder(host: Host, topology: str) -> Path:
    return host.folder(topology) / "machines"


def machine_folder(host: Host, topology: str, member: str) -> Path:
    return machines_folder(host, topology) / member
