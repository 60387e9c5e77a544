"""How another program than lbkit runs something inside a machine: by iproute2, which knows these namespaces too.

`ip netns exec` gives it a /sys of the namespace besides, where programs look for links (ip-netns(8)).
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.run import MissingProgram
from lbkit.machine.local.launch import ENVIRONMENT
from lbkit.machine.local.place import machine_folder
from lbkit.machine.netns.network import Namespace, namespace_name


@dataclass(frozen=True, slots=True)
class Inside:
    """What to start a process with, so that it is in the machine."""

    argv: tuple[str, ...]
    folder: str
    environment: dict[str, str]


def inside(host: Host, topology: str, member: str, argv: Sequence[str]) -> Inside:
    """Failure where the machine does not stand, or this process may not go there.

    It starts in the machine's folder, or in / where nothing was ever put there, as lbkit's own user.
    """
    namespace = Namespace(host, topology, member)
    name = namespace_name(topology, member)
    if namespace.identity() is None:
        raise Failure(
            f"machine {member} of topology {topology} was to be there",
            found=f"no network namespace {name}",
            where=str(host.netns_dir),
            remedy="`lbkit apply` makes it; in a sandbox it is seen only there",
        )
    with namespace.entered():  # a refusal comes with words now
        pass
    program = shutil.which("ip", path=ENVIRONMENT["PATH"])
    if program is None:
        raise MissingProgram("ip", remedy="install the package iproute2")
    folder = machine_folder(host, topology, member)
    user = pwd.getpwuid(os.geteuid())
    return Inside(
        (program, "netns", "exec", name, *argv),
        str(folder) if folder.is_dir() else "/",
        ENVIRONMENT | {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name},
    )
