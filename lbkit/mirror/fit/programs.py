"""The programs that a mirror's machines run, and from which version on they take what lbkit tells them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from lbkit.mirror.fit.told import Fit

_WITHIN = 30.0  # seconds for a program to say its version: under emulation it needs some
_NUMBERS = re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)+)")


@dataclass(frozen=True, slots=True)
class Needed:
    """`least` is the oldest version that will do, () where any does; `asked` is what it says its version to, on whichever stream."""

    package: str
    asked: str = "--version"
    least: tuple[int, ...] = ()


PROGRAMS: Mapping[str, Needed] = {
    "rsync": Needed("rsync", least=(3, 1, 0)),  # NEWS: --omit-link-times
    "nginx": Needed("nginx-light", "-v", (1, 20)),
    "curl": Needed("curl", least=(7, 67, 0)),  # --no-progress-meter
    "ssh": Needed("openssh-client", "-V"),
    "setpriv": Needed("util-linux"),
}

RSYNC_OF_SSH = (3, 2, 6)  # NEWS: --secluded-args


def program(name: str, least: tuple[int, ...] = (), *, search: str | None = None) -> Fit:
    """On `search`, or on PATH. `least`: newer than what is needed in any case."""
    needed = PROGRAMS[name]
    least = max(needed.least, least)
    remedy = f"`apt install {needed.package}`, or your distribution's package of it"
    path = shutil.which(name, path=search)
    if path is None:
        return Fit(name, False, "it is not installed", remedy)
    try:
        done = subprocess.run(
            [path, needed.asked],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_WITHIN,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        return Fit(name, False, f"{path} does not tell its version: {error}", remedy)
    match = _NUMBERS.search(said)
    if match is None:
        good = not least and done.returncode == 0
        return Fit(name, good, path if good else f"{path} does not tell its version", "" if good else remedy)
    version = tuple(int(part) for part in match[1].split("."))
    if version < least:
        wanted = ".".join(map(str, least))
        return Fit(name, False, f"{path} is version {match[1]}", f"{wanted} or newer is needed")
    return Fit(name, True, f"{path}, version {match[1]}")
