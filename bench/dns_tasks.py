"""1,000 records by one `lbkit.core.dns_records` task, and by a loop over community.general.nsupdate.

    lbkit sandbox -- python bench/dns_tasks.py [--quick]

One named, one zone, signed by one key, in which nothing stands but its SOA and NS. The task reads the zone, sends what
differs, and reads it back; the loop does as it does, one record a turn, with 20 of them, scaled to 1,000. Seconds are those of
an `ansible-playbook` with it, less those of one without. The library is the same work without Ansible, in a process that runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import community
from ansible_tasks import Task, play

from lbkit import zones
from lbkit.base import sandbox
from lbkit.dns.keygen import write_key
from tests.dns.named import ZONE, Named, running

RECORDS, LOOPED = 1000, 20
ADDRESS = "127.0.0.1"


def records(third: int) -> list[dict[str, Any]]:
    """`third`: of their addresses, so that another one changes them all."""
    return [
        {"name": f"host-{number}", "type": "A", "values": [f"10.{third}.{number // 250}.{number % 250}"]}
        for number in range(RECORDS)
    ]


def task(file: Path, third: int, **more: Any) -> Task:
    key = {"name": "lbkit", "secret_file": str(file)}
    given = {"server": ADDRESS, "zone": ZONE, "key": key, "records": records(third), **more}
    return {"name": "Records", "lbkit.core.dns_records": given}


def loop(file: Path, third: int) -> Task:
    secret = file.read_text(encoding="utf-8").split('"')[3]
    return {
        "name": "Loop",
        "community.general.nsupdate": {
            "key_name": "lbkit",
            "key_secret": secret,
            "key_algorithm": "hmac-sha256",
            "server": ADDRESS,
            "protocol": "tcp",
            "zone": ZONE,
            "record": "looped-{{ item }}",
            "type": "A",
            "value": [f"10.{third}.9.9"],
        },
        "loop": list(range(LOOPED)),
        "vars": {"ansible_python_interpreter": sys.executable},  # which has dnspython
    }


def took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of each way to have or change all records."""
    key = folder / "tsig.key"
    at = zones.ZoneServer(ADDRESS, ZONE, key=zones.tsig_key("lbkit", secret_file=key))
    gone = zones.asked(ZONE, [{"name": one["name"], "type": "A"} for one in records(0)], state="absent")
    asked = zones.asked(ZONE, records(0))
    made, library, standing = [], [], []
    play(folder, [])
    empty = min(play(folder, []) for _ in range(rounds))
    for _ in range(rounds):
        library.append(took(lambda: zones.apply_records(at, asked)))
        zones.apply_records(at, gone)
        made.append(play(folder, [task(key, 0)]) - empty)
        assert not zones.plan_records(at, asked)
        standing.append(play(folder, [task(key, 0)]) - empty)
        zones.apply_records(at, gone)
    play(folder, [], community.PLAYBOOK)
    empty = min(play(folder, [], community.PLAYBOOK) for _ in range(rounds))
    looped = play(folder, [loop(key, 0)], community.PLAYBOOK) - empty
    again = play(folder, [loop(key, 0)], community.PLAYBOOK) - empty
    found = [
        rrset for (name, _), rrset in zones.contents(at).data.rrsets.items() if name.startswith("looped-")
    ]
    assert len(found) == LOOPED
    return {
        "lbkit's library": min(library),
        "one `dns_records` task, all to be made": min(made),
        "one `dns_records` task, nothing to do": min(standing),
        f"a loop over community.general.nsupdate, all to be made (scaled from {LOOPED})": looped
        * RECORDS
        / LOOPED,
        "the same, nothing to do": again * RECORDS / LOOPED,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 round instead of 5")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/dns_tasks.py\n")
    rounds = 1 if arguments.quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_key(folder / "tsig.key")
        with running(Named(folder / "ns", folder / "tsig.key")):
            found = measured(folder, rounds)
    print(f"{RECORDS:,} records; fastest of {rounds} rounds\n")
    print("| what | s | records a second |")
    print("|---|--:|--:|")
    for what, seconds in found.items():
        print(f"| {what} | {seconds:.2f} | {RECORDS / seconds:,.0f} |")
    _, task_took, _, loop_took, _ = found.values()
    print(f"\nThe task is {loop_took / task_took:.0f} times as fast as the loop.")


if __name__ == "__main__":
    main()
