"""A plan with nothing to do for 10,000 servers, and what it is made of.

    lbkit sandbox -- python bench/bigplan.py [--quick]

10 backends of 1,000 servers each, which stand as declared. The whole is a process, `lbkit plan FILE`, of the fastest
round, from its start to its end. Its parts are measured in one process that is warm. Processor time is lbkit's alone,
without what HAProxy takes to answer. The floor is to ask the same two questions and split the answers into fields.

One backend takes 4,095 servers by round robin (HAProxy's own limit), and one file about 22,000 (200,000 values).
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from haproxies import least, scope_of, standing, topology

from lbkit import operate
from lbkit.base import sandbox
from lbkit.base.host import Host
from lbkit.engine.diff import diff
from lbkit.engine.resource import Desired
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.room import ROOM
from lbkit.haproxy.runtime import show
from lbkit.haproxy.transition import written

SERVERS = 10_000
LBKIT = str(Path(sys.executable).with_name("lbkit"))  # as a person calls it


def worked(step: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Milliseconds of processor time of the fastest round, and its value."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        value = step()
        took.append((time.process_time() - began) * 1000)
    return min(took), value


def desired(scope: Scope, host: Host) -> list[Desired]:
    """As the first time: what of a text is remembered would else be found again."""
    written.sections.cache_clear()
    written.servers.cache_clear()
    return list(ROOM.desired(scope, host))


def asked(instance: Instance) -> int:
    with instance.runtime() as runtime:
        states = [line.split(" ") for line in runtime.ask(show.servers_state()).split("\n")]
        rows = [line.split(",") for line in runtime.ask(show.stat()).split("\n")]
    return len(states) + len(rows)


def save(folder: Path, data: dict[str, Any], suffix: str) -> Path:
    file = folder / f"bench.{suffix}"
    file.write_text(json.dumps(data) if suffix == "json" else as_yaml(data), encoding="utf-8")
    return file


def whole(file: Path) -> None:
    subprocess.run([LBKIT, "plan", str(file)], check=True, stdout=subprocess.DEVNULL)


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def as_yaml(data: dict[str, Any]) -> str:
    """One server a line, as a person would write so many."""
    lines = []

    def write(value: Any, indent: str) -> None:
        for key, inner in value.items():
            if isinstance(inner, dict):
                lines.append(f"{indent}{key}:")
                write(inner, indent + "  ")
            elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
                lines.append(f"{indent}{key}:")
                for each in inner:
                    words = ", ".join(f"{name}: {word}" for name, word in each.items())
                    lines.append(f"{indent}  - {{{words}}}")
            else:
                lines.append(f"{indent}{key}: {json.dumps(inner)}")

    write(data, "")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 round instead of 3")
    parser.add_argument("--count", type=int, default=SERVERS, help="1,000 or a multiple of it")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/bigplan.py\n")
    rounds, count = (1 if arguments.quick else 3), arguments.count
    gc.set_threshold(50_000)  # as the command line has it
    host = Host()
    found: dict[str, dict[int, float]] = {}

    def note(name: str, members: int, took: float) -> None:
        found.setdefault(name, {})[members] = took

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for members in (1, 2):
            data = topology(count, members=members)
            files = {suffix: save(folder, data, suffix) for suffix in ("json", "yaml")}
            scope = scope_of(count, members=members)
            with standing(scope, host) as instance:
                for suffix, file in files.items():
                    plan = f"`lbkit plan`, of a .{suffix} file"
                    before = children()
                    took, _ = least(partial(whole, file), rounds)
                    used = (children() - before) * 1000 / rounds
                    note(f"{plan}: from start to end", members, took)
                    note(f"{plan}: processor time, of all rounds", members, used)
                for suffix, file in files.items():
                    took, _ = worked(partial(operate.load, file), rounds)
                    note(f"of it: load and check the .{suffix} file", members, took)
                took, wants = worked(partial(desired, scope, host), rounds)
                note("of it: what is desired", members, took)
                took, haves = worked(lambda: list(ROOM.observe(scope, host)), rounds)  # noqa: B023
                note("of it: look at what stands", members, took)
                compare = partial(diff, wants, haves, owner=scope.name, judge=ROOM)
                took, changes = worked(compare, rounds)
                assert not changes
                note("of it: compare", members, took)
                took, _ = worked(partial(asked, instance), rounds)
                note("floor: ask one HAProxy, and split the answers", members, took)
    print(f"{count:,} servers, {count // 1000} backends; ms, fastest of {rounds} rounds\n")
    print("| | one HAProxy | two |")
    print("|---|--:|--:|")
    for row, cells in found.items():
        print(f"| {row} | {cells[1]:.0f} | {cells[2]:.0f} |")


if __name__ == "__main__":
    main()
