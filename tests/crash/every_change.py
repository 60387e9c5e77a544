"""Kill an apply at every STEPth event from FIRST, each time converge, and leave nothing: run inside a sandbox.

`every_change.py EXAMPLE apply|destroy FIRST STEP`. Prints how many kills were survived; fails by assertion.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from lbkit import operate
from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.engine.journal import read_journal


def main() -> None:
    example, what, first, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    folder = Path(tempfile.mkdtemp())  # the sandbox's own
    shutil.copytree(example.parent, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.key"))
    write_key(folder / "tsig.key", "lbkit", "hmac-sha256")
    file = str(folder / example.name)
    child = str(Path(__file__).with_name("killed_apply.py"))
    host, number, kills = Host(), first, 0
    empty = inventory()
    while True:
        scope = operate.load(file)
        if what == "destroy":
            operate.apply(scope, host)
        code = subprocess.run([sys.executable, child, file, what, str(number)], check=False).returncode
        assert code in {0, -signal.SIGKILL}, (
            f"the apply was to be killed at event {number}, or to end: {code}"
        )
        kills += code != 0
        # what it had finished before it died must not be done again: those processes keep their pids
        done = set() if what == "destroy" else finished(host, scope.name)
        before = processes()
        if what == "apply":
            operate.apply(scope, host)
            left = operate.plan(scope, host)
            assert not left, f"after kill {number} and an apply: {[str(change) for change in left.changes]}"
            down = [row for row in operate.status(scope, host) if not row.present]
            assert not down, f"after kill {number} and an apply: {down}"
            after = processes()
            for service in done:
                assert after.get(service) == before.get(service), f"{service} was started twice"
            assert len(set(after.values())) == len(after), "one process for each service"
        operate.destroy(scope, host)
        assert not operate.plan(scope, host, absent=True)
        assert inventory() == empty, f"after kill {number}: {inventory()} instead of {empty}"
        if code == 0:
            break
        number += step
    print(f"{kills} kills survived")


def finished(host: Host, topology: str) -> set[str]:
    """The services whose start was journalled as done."""
    records = read_journal(host.folder(topology) / "journal.jsonl")
    return {f"{topology}/{r['name']}" for r in records if r["event"] == "done" and r["kind"] == "service"}


def processes() -> dict[str, int]:
    """The first process of each service of lbkit, by the mark in its environment."""
    found: dict[str, int] = {}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for variable in environment:
            if variable.startswith(b"LBKIT_SERVICE="):
                found.setdefault(variable.split(b"=", 1)[1].decode(), int(folder.name))
    return found


def inventory() -> dict[str, object]:
    """All that a topology could leave behind on a host."""
    links = sorted(line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:])
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {
        "links": links,
        "namespaces": sorted(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else [],
        "mounts": sorted({mount for mount in mounts if mount.startswith("/run/netns/")}),
        "files": sorted(map(str, Path("/run/lbkit").rglob("*"))),
        "processes": processes(),
    }


if __name__ == "__main__":
    main()
