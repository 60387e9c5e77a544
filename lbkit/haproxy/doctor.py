"""Whether this host has what load balancers run on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.run import CommandFailed
from lbkit.engine.view import Check

HAPROXY = (2, 6)  # fd-hard-limit; Debian 12 has it
KEEPALIVED = (2, 2)  # track_file for VRRP with weight 0, check_unicast_src; Debian 12 has 2.2.7

_NUMBER = re.compile(r"(\d+)\.(\d+)[.\d]*")


def doctor(host: Host) -> Iterator[Check]:
    yield _program(host, "HAProxy", ("haproxy", "-v"), HAPROXY, "haproxy")
    yield _program(
        host, "keepalived (virtual addresses)", ("keepalived", "--version"), KEEPALIVED, "keepalived"
    )
    yield _program(
        host, "python3 (watches HAProxy for keepalived)", ("python3", "--version"), (3, 9), "python3"
    )


def _program(host: Host, name: str, argv: tuple[str, ...], least: tuple[int, int], package: str) -> Check:
    wanted = ".".join(map(str, least))
    remedy = f"{wanted} or newer is needed: Debian's package {package} (`apt install {package}`)"
    try:
        done = host.runner.run(argv, timeout=10.0)
    except CommandFailed as error:
        return Check(name, False, error.found, remedy, needed=False)
    except Failure:
        return Check(name, False, "not installed", remedy, needed=False)
    match = _NUMBER.search(done.stdout + done.stderr)
    if match is None:
        return Check(name, False, "it does not tell its version", remedy, needed=False)
    good = (int(match[1]), int(match[2])) >= least
    return Check(name, good, match[0], "" if good else remedy, needed=False)
