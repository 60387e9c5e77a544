"""Whether the ports of a mirror's programs are free, or lbkit's already."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.machine.local.proc import every_stat, read_stat, service_mark
from lbkit.mirror.fit.told import Fit
from lbkit.mirror.serving.launch import demand_free

_LISTENS = "0A"  # linux/include/net/tcp_states.h
_HAS_IPV6 = Path("/proc/net/if_inet6")


def ports(numbers: Iterable[int]) -> Iterator[Fit]:
    for number in dict.fromkeys(numbers):
        if _free(number):
            yield Fit(f"port {number}", True, "it is free")
            continue
        holders = sorted(_holders(number))
        marks = [mark for pid in holders if (mark := service_mark(pid) or _recorded(pid))]
        if holders and len(marks) == len(holders):
            yield Fit(f"port {number}", True, f"lbkit's own {marks[0]} has it")
            continue
        who = ", ".join(f"{_name(pid)} (process {pid})" for pid in holders[:3]) or "another program"
        yield Fit(
            f"port {number}",
            False,
            f"{who} has it",
            "end it, for good (`systemctl disable --now SERVICE`), or give the mirror another port",
        )


def _recorded(pid: int) -> str:
    """The mark of a service whose program wrote over its environment, as nginx does: by the record that lies beside the folder that
    it was started in (machine/local/place.py). "" where it is none.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        process = read_stat(pid)
        leader = read_stat(process.session) if process is not None else None
        if leader is not None:
            folder = Path(os.readlink(f"/proc/{leader.pid}/cwd"))
            record = json.loads(folder.with_name(f"{folder.name}.process.json").read_bytes())
            if (record["pid"], record["start_time"]) == (leader.pid, leader.start_time):
                return f"{folder.parents[2].name}/{folder.parent.name}/{folder.name}"
    return ""


def _free(number: int) -> bool:
    try:
        demand_free("0.0.0.0", number)  # noqa: S104 - asked alone
        if _HAS_IPV6.exists():
            demand_free("::", number)
    except Failure:
        return False
    return True


def _holders(number: int) -> set[int]:
    """The processes that listen there, in this network: of proc_net(5) the sockets, of proc(5) who has them open."""
    wanted = {f"socket:[{inode}]" for inode in _sockets(number)}
    found = set()
    for process in every_stat():
        with suppress(OSError):  # it ended meanwhile, or is not ours to look into
            folder = f"/proc/{process.pid}/fd"
            for each in os.listdir(folder):
                with suppress(OSError):
                    if os.readlink(f"{folder}/{each}") in wanted:
                        found.add(process.pid)
    return found


def _sockets(number: int) -> Iterator[str]:
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):  # without IPv6 there is no second one
            for line in Path(file).read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == number:
                    yield words[9]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "a program"
