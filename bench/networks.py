"""Subnets (namespace, bridge, veth, addresses, route): made, observed and deleted, by lbkit and by other means.

    lbkit sandbox -- python bench/networks.py [--quick] [--count N]

Prints milliseconds for each subnet, and the ratio to the floor (bench/floor.py) of the same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import ip_interface, ip_network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import floor
from pyroute2 import IPRoute

from lbkit.base import sandbox
from lbkit.base.host import Host
from lbkit.base.mark import mark
from lbkit.base.names import link_name
from lbkit.engine.book import Book
from lbkit.engine.change import Change
from lbkit.engine.planning import make_plan
from lbkit.engine.scope import Scope
from lbkit.network import links, namespace
from lbkit.network.links import WantedInterface, WantedNamespace
from lbkit.network.resolve import Networks, ResolvedNetwork
from lbkit.network.room import ROOM

TOPOLOGY = "b"
Steps = dict[str, Callable[[], object]]


def by_lbkit(host: Host, count: int) -> Steps:
    networks = {}
    machines = []
    for number in range(count):
        name, member = f"n{number}", f"m{number}"
        prefix = ip_network(f"10.9.{number}.0/24")
        networks[name] = ResolvedNetwork(
            name, f"{TOPOLOGY}.{name}", (prefix,), (ip_interface(f"10.9.{number}.1/24"),), False, 1500
        )
        interface = WantedInterface(
            name=name,
            host_link=link_name(TOPOLOGY, member, name),
            bridge=f"{TOPOLOGY}.{name}",
            mac=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}",
            mtu=1500,
            addresses=(ip_interface(f"10.9.{number}.2/24"),),
            mark=mark(TOPOLOGY, "machine", member, name),
        )
        machines.append(
            WantedNamespace(
                name=f"{TOPOLOGY}.{member}",
                mark=mark(TOPOLOGY, "machine", member),
                interfaces=(interface,),
                routes=((ip_network("0.0.0.0/0"), prefix[1]),),
            )
        )
    scope = Scope(
        name=TOPOLOGY, folder=Path(), file="", resolved={"network": Networks(networks)}, book=Book()
    )

    def ignore(_what: Change | str, _words: str) -> None:
        pass

    def create() -> None:
        ROOM.apply(make_plan([ROOM], scope, host).changes, scope, host, ignore)
        links.converge(host, machines, ignore)

    def observe() -> None:
        assert len(list(ROOM.observe(scope, host))) == count
        assert len(links.observe(host, TOPOLOGY)) == count

    def delete() -> None:
        links.remove(host, TOPOLOGY, [machine.name for machine in machines], ignore)
        ROOM.apply(make_plan([ROOM], scope, host, absent=True).changes, scope, host, ignore)

    return {"create": create, "observe": observe, "delete": delete}


def by_hand(host: Host, count: int) -> Steps:
    folder = str(host.netns_dir)
    return {
        "create": lambda: floor.create(folder, count),
        "observe": lambda: floor.observe(folder, count),
        "delete": lambda: floor.delete(folder, count),
    }


def _lines(number: int) -> tuple[list[str], list[str]]:
    """What `ip` has to do for one subnet: on the host, and inside."""
    outside = [
        f"link add ib{number} type bridge",
        f"link set ib{number} up",
        f"address add 10.9.{number}.1/24 dev ib{number}",
        f"link add iv{number} type veth peer name eth0 netns ip{number}",
        f"link set iv{number} master ib{number} up",
    ]
    inside = [
        "link set lo up",
        "link set eth0 up",
        f"address add 10.9.{number}.2/24 dev eth0",
        f"route add default via 10.9.{number}.1",
    ]
    return outside, inside


def ip(*argv: str, stdin: str | None = None) -> None:
    subprocess.run(["ip", *argv], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


def by_ip(count: int) -> Steps:
    def create() -> None:
        for number in range(count):
            outside, inside = _lines(number)
            ip("netns", "add", f"ip{number}")
            for line in outside:
                ip(*line.split())
            for line in inside:
                ip("-n", f"ip{number}", *line.split())

    def observe() -> None:
        ip("-j", "address", "show")
        for number in range(count):
            ip("-j", "-n", f"ip{number}", "address", "show")
            ip("-j", "-n", f"ip{number}", "route", "show")

    def delete() -> None:
        for number in range(count):
            ip("netns", "delete", f"ip{number}")
            ip("link", "delete", f"ib{number}")

    return {"create": create, "observe": observe, "delete": delete}


def by_ip_batch(count: int) -> Steps:
    def create() -> None:
        ip("-batch", "-", stdin="".join(f"netns add ip{number}\n" for number in range(count)))
        parts = [_lines(number) for number in range(count)]
        ip("-batch", "-", stdin="\n".join(line for outside, _ in parts for line in outside) + "\n")
        for number, (_, inside) in enumerate(parts):
            ip("-n", f"ip{number}", "-batch", "-", stdin="\n".join(inside) + "\n")

    def delete() -> None:
        ip("-batch", "-", stdin="".join(f"netns delete ip{number}\n" for number in range(count)))
        ip("-batch", "-", stdin="".join(f"link delete ib{number}\n" for number in range(count)))

    return {"create": create, "observe": lambda: None, "delete": delete}


def by_pyroute2(host: Host, count: int) -> Steps:
    """Observation only: one setns and one socket for each namespace, pyroute2's own decoding."""

    def observe() -> None:
        for number in range(count):
            with namespace.entered(host, f"{TOPOLOGY}.m{number}"), IPRoute() as ipr:
                list(ipr.get_links())
                list(ipr.get_addr())
                list(ipr.get_routes())

    return {"observe": observe}


def settle(count: int) -> None:
    """The kernel takes deleted namespaces apart in the background, which would be counted to whoever comes next."""
    time.sleep(0.5 + 0.02 * count)


def measure(steps: Steps, count: int) -> dict[str, float]:
    """Milliseconds for each subnet."""
    found = {}
    for name, step in steps.items():
        began = time.perf_counter()
        step()
        found[name] = (time.perf_counter() - began) / count * 1000
    settle(count)
    return found


def best(means: dict[str, Steps], count: int, rounds: int) -> dict[str, dict[str, float]]:
    """The least of each over some rounds, which the means take in turns: what else runs here disturbs all alike."""
    runs = [{by: measure(steps, count) for by, steps in means.items()} for _ in range(rounds)]
    return {by: {name: min(run[by][name] for run in runs) for name in steps} for by, steps in means.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="30 subnets instead of 200")
    parser.add_argument("--count", type=int, default=0)
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/networks.py\n")
    count = min(arguments.count or (30 if arguments.quick else 200), 250)
    host = Host(run_dir=Path("/run/bench"))
    namespace.prepare(host)
    lbkit = by_lbkit(host, count)
    rows = best({"floor": by_hand(host, count), "lbkit": lbkit}, count, 2 if arguments.quick else 5)
    lbkit["create"]()
    rows["pyroute2"] = measure(by_pyroute2(host, count), count)
    lbkit["delete"]()
    settle(count)
    rows["ip -batch"] = measure(by_ip_batch(count), count)
    rows["ip -batch"].pop("observe")
    rows["ip"] = measure(by_ip(count), count)
    print(
        f"{count} subnets, {os.cpu_count()} CPUs, Linux {os.uname().release}; ms for each subnet, and times the floor\n"
    )
    print(f"| by | {' | '.join(rows['floor'])} |")
    print("|---|---|---|---|")
    for name, row in rows.items():
        cells = (
            f"{row[step]:.2f} ({row[step] / base:.2f})" if step in row else ""
            for step, base in rows["floor"].items()
        )
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
