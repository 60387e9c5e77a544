"""Observing 100 virtual machines.

    python bench/domains.py [--quick] [--count N]

State, and all that a domain's XML says, of every domain: by one question for all states and one each for the XML, which libvirt
has no bulk call for; by looking each up by its name; and by a connection or a process of virsh for each, as tools do
that keep none. On libvirt's test driver, which answers in this process, and on a libvirtd of QEMU's with as many defined domains.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from lbkit.base.sandbox import inside
from lbkit.hypervisor.connection import Connection
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.failures import binding
from lbkit.hypervisor.resolved import ResolvedHost
from lbkit.machine.libvirt.observe import seen_domains

TEST = (
    "<domain type='test'><name>{name}</name><memory unit='MiB'>256</memory><os><type>hvm</type></os></domain>"
)
QEMU = (
    "<domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory>"
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
    "<devices><interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface></devices></domain>"
)


def least(step: Callable[[], object], rounds: int) -> float:
    """Milliseconds of the fastest round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        found.append((time.perf_counter() - began) * 1000)
    return min(found)


def ways(connection: Connection, names: list[str], rounds: int) -> Mapping[str, float]:
    libvirt = binding()
    raw, uri = connection.raw, connection.host.uri

    def by_name() -> None:
        for name in names:
            raw.lookupByName(name).state()
            raw.lookupByName(name).XMLDesc()

    def by_connection() -> None:
        for name in names:
            own = libvirt.open(uri)
            own.lookupByName(name).state()
            own.lookupByName(name).XMLDesc()
            own.close()

    def by_process() -> None:
        for name in names:
            for question in ("domstate", "dumpxml"):
                subprocess.run(["virsh", "-c", uri, question, name], check=True, capture_output=True)

    assert len(seen_domains(connection, "web")) == len(names)
    found = {
        "all states in one call": least(
            lambda: raw.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE), rounds
        ),
        "lbkit: that, each one's XML, and all of it read": least(
            lambda: seen_domains(connection, "web"), rounds
        ),
        "a lookup for each state and each XML, not read": least(by_name, rounds),
    }
    if not connection.host.simulated:  # there each connection makes a world of its own
        found["a connection each"] = least(by_connection, 1)
        found["two processes of virsh each"] = least(by_process, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds instead of 7")
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    if not inside():
        sys.exit("run it in a sandbox: lbkit sandbox -- python bench/domains.py")
    rounds = 2 if arguments.quick else 7
    names = [f"web.lb-{number}.1" for number in range(1, arguments.count + 1)]
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(f"<node>{''.join(TEST.format(name=escape(name)) for name in names)}</node>")
        file.flush()
        simulated = ways(
            Connection(ResolvedHost("test", f"test://{file.name}", "lbkit", "/p")), names, rounds
        )
    with Daemon(Path("/run/bench-libvirt")) as daemon:
        connection = Connection(ResolvedHost("local", daemon.uri, "lbkit", "/p"))
        for name in names:
            connection.raw.defineXML(QEMU.format(name=escape(name)))
        real = ways(connection, names, rounds)
        connection.close()
    print(f"{arguments.count} domains; fastest of {rounds} rounds, in ms\n")
    print("| way | test driver | libvirtd and QEMU |")
    print("|---|--:|--:|")
    for way, took in real.items():
        print(f"| {way} | {f'{simulated[way]:.1f}' if way in simulated else ''} | {took:.1f} |")


if __name__ == "__main__":
    main()
