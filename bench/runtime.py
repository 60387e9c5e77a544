"""1,000 servers' weights in one HAProxy, by lbkit and by other means; and 300 servers more.

    lbkit sandbox -- python bench/runtime.py [--quick]

The commands are `set server b0/sN weight W`, to one HAProxy with 1,000 servers in one backend. The floor is a
socket, the commands as bytes made before, and a count of prompts: no reply is looked at. lbkit's library makes its
commands within the time, and checks every reply. A loop over community.general.haproxy is one task with 20 servers,
from the package `ansible` (build/bench-ansible), scaled to 1,000; its playbook's start is taken off. What plans is
the whole way: look, plan, carry out with a journal, read back, plan again. What stands as a task is an
`ansible-playbook` with it, less one without.

Tasks are whole processes, and a busy machine moves them most: in five runs on one, whose other work took its two
processors several times over, the task was 146 to 508 times as fast as the loop; by processor time alone, which is
steadier, 190 times with the topology written into the playbook, and 270 times with it in a file, as here.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import community
from ansible_tasks import Task, play
from haproxies import least, scope_of, standing, topology

from lbkit import operate
from lbkit.base import sandbox
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.haproxy.config.paths import RUNTIME_SOCKET
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.runtime import Info
from lbkit.haproxy.runtime.commands import server as to

SERVERS, MORE, LOOPED = 1000, 300, 20
PROMPT = b"\n> "


def weights() -> Iterator[int]:
    """Another one each time: a weight that is there already costs HAProxy less."""
    while True:
        yield from (2, 3)


def by_lbkit(instance: Instance, weight: int) -> None:
    with instance.runtime() as runtime:
        runtime.run(to.set_weight("b0", f"s{number}", weight) for number in range(SERVERS))


def pipelined(instance: Instance, commands: bytes, count: int) -> None:
    """Its replies are short: all fit the buffers, and it cannot stand still."""
    with connected(instance) as link:
        link.sendall(b"prompt\n" + commands)
        due, tail = count + 1, b""
        while due:
            data = tail + link.recv(1 << 18)
            due -= data.count(PROMPT)
            tail = data[-2:]
            if tail == PROMPT[1:]:
                tail = b""


def one_by_one(instance: Instance, weight: int) -> None:
    for number in range(SERVERS):
        with connected(instance) as link:
            link.sendall(f"set server b0/s{number} weight {weight}\n".encode())
            while link.recv(1 << 16):
                pass


def connected(instance: Instance) -> socket.socket:
    return instance.machine.connect(instance.path(RUNTIME_SOCKET), timeout=10.0)


def as_bytes(weight: int) -> bytes:
    return b"".join(b"set server b0/s%d weight %d\n" % (number, weight) for number in range(SERVERS))


def reload(instance: Instance, host: Host) -> None:
    with instance.runtime() as runtime:
        info = runtime.info()
    master = instance.master(timeout=15.0)
    known = master.workers()
    assert known is not None
    done = master.reload(known, info.pid, lambda: answer(instance), host.clock, 15.0)
    assert done.worker is not None, done.words


def answer(instance: Instance) -> Info | None:
    try:
        with instance.runtime() as runtime:
            return runtime.info()
    except Failure:
        return None


def add(instance: Instance) -> None:
    with instance.runtime() as runtime:
        runtime.run(
            command
            for number in range(MORE)
            for command in (
                to.add_server("b0", f"m{number}", f"10.101.{number // 256}.{number % 256}:80", ["weight", 1]),
                to.set_state("b0", f"m{number}", "ready"),
            )
        )


def remove(instance: Instance) -> None:
    with instance.runtime() as runtime:
        runtime.run(to.set_state("b0", f"m{number}", "maint") for number in range(MORE))
        runtime.run(to.del_server("b0", f"m{number}") for number in range(MORE))


def by_topology(host: Host, scopes: dict[int, object], weight: int) -> None:
    done = operate.apply(scopes[weight], host)  # type: ignore[arg-type]
    assert [str(change.impact) for change in done.done] == ["hitless"], done


def measured(instance: Instance, host: Host, rounds: int) -> dict[str, float]:
    """Milliseconds of each way to change all weights."""
    weight = weights()
    scopes = {number: scope_of(SERVERS, weight=number) for number in (2, 3)}
    batches = {number: as_bytes(number) for number in (2, 3)}
    ways: dict[str, Callable[[], object]] = {
        "floor: one socket, pipelined, nothing checked": lambda: pipelined(
            instance, batches[next(weight)], SERVERS
        ),
        "lbkit's library: every reply checked": lambda: by_lbkit(instance, next(weight)),
        "one connection for each command": lambda: one_by_one(instance, next(weight)),
        "a reload": lambda: reload(instance, host),
    }
    # one after the other in each round: what else the machine does is in all of them
    took = [{name: least(way, 1)[0] for name, way in ways.items()} for _ in range(3 * rounds)]
    found = {name: min(each[name] for each in took) for name in ways}
    by_topology(host, scopes, next(weight))  # after the reload they are as in the file
    found["lbkit.apply: look, plan, carry out, read back"] = least(
        lambda: by_topology(host, scopes, next(weight)), rounds
    )[0]
    return found


def as_tasks(instance: Instance, rounds: int) -> dict[str, float]:
    weight = weights()
    loop: Task = {
        "name": "Loop",
        "community.general.haproxy": {
            "state": "enabled",
            "backend": "b0",
            "host": "{{ item }}",
            "weight": "7",
            "socket": str(instance.path(RUNTIME_SOCKET)),
        },
        "loop": [f"s{number}" for number in range(LOOPED)],
    }

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def task() -> Task:
            file = folder / "bench.json"
            file.write_text(json.dumps(topology(SERVERS, weight=next(weight))), encoding="utf-8")
            return {"name": "Weights", "lbkit.core.topology": {"state": "present", "file": str(file)}}

        play(folder, [])
        empty = min(play(folder, []) for _ in range(rounds))
        play(folder, [task()])
        ours = min(play(folder, [task()]) - empty for _ in range(rounds))
        play(folder, [], community.PLAYBOOK)
        empty = min(play(folder, [], community.PLAYBOOK) for _ in range(rounds))
        looped = play(folder, [loop], community.PLAYBOOK) - empty
    with instance.runtime() as runtime:
        assert sum(each.weight == 7 for each in runtime.servers()) == LOOPED
    return {
        "one `lbkit.core.topology` task": ours * 1000,
        f"a loop over community.general.haproxy (scaled from {LOOPED})": looped * 1000 * SERVERS / LOOPED,
    }


def adding(instance: Instance, host: Host, rounds: int) -> dict[str, float]:
    took = []
    for _ in range(rounds):
        took.append(least(lambda: add(instance), 1)[0])
        remove(instance)
    fewer, more = scope_of(SERVERS), scope_of(SERVERS + MORE)
    found = {f"{MORE} times `add server` and `set server state ready`": min(took)}
    took = []
    for _ in range(rounds):
        operate.apply(fewer, host)
        began = time.perf_counter()
        operate.apply(more, host)
        took.append((time.perf_counter() - began) * 1000)
    found["lbkit.apply"] = min(took)
    found[f"a reload, with {SERVERS + MORE:,} servers in the file"] = least(
        lambda: reload(instance, host), rounds
    )[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds instead of 7")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/runtime.py\n")
    rounds = 2 if arguments.quick else 7
    host = Host()
    with standing(scope_of(SERVERS), host) as instance:
        found = measured(instance, host, rounds)
        found |= as_tasks(instance, min(rounds, 5))
        operate.apply(scope_of(SERVERS), host)
        added = adding(instance, host, min(rounds, 3))
    floor = next(iter(found.values()))
    print(
        f"{SERVERS:,} servers, 1 backend; fastest of {3 * rounds} rounds (lbkit.apply: {rounds}, tasks: {min(rounds, 5)})\n"
    )
    print("| weights by | ms | commands a second | times the floor |")
    print("|---|--:|--:|--:|")
    for name, took in found.items():
        print(f"| {name} | {took:.1f} | {SERVERS / took * 1000:,.0f} | {took / floor:,.1f} |")
    ours, loop = list(found.values())[-2:]
    library = list(found.values())[1]
    print(
        f"\nThe library is at {floor / library:.2f} of the floor's rate, and the task {loop / ours:.0f} times"
    )
    print("as fast as the loop.\n")
    print(f"| {MORE} servers more, beside {SERVERS:,} | ms |")
    print("|---|--:|")
    for name, took in added.items():
        print(f"| {name} | {took:.1f} |")


if __name__ == "__main__":
    main()
