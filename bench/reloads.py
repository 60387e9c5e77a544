"""20 reloads under keep-alive load: what clients lose, with Debian's configuration and with lbkit's.

    lbkit sandbox -- python bench/reloads.py [--quick]

wrk keeps 64 connections busy through one HAProxy, which is reloaded every half second; another answers behind it. The
first is Debian's haproxy.cfg (its defaults and timeouts, without its user and its logs) with a frontend and a backend;
the second is what lbkit writes for the same. Lost are wrk's socket errors, time-outs, and answers of another class.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lbkit import operate
from lbkit.base import sandbox
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.runtime import EMPTY_STATE, Master
from lbkit.haproxy.waiting import wait_for
from lbkit.haproxy.wanted import wanted_on

PORT, ORIGIN = 8080, 9000
PAUSE = 0.5  # seconds between reloads
DEBIAN = Path("/etc/haproxy/haproxy.cfg")
_NOT_HERE = re.compile(
    r"^\s*(?:user|group|chroot|log|daemon|stats|ca-base|crt-base|ssl-default\S*)\s.*\n|^\s*daemon\n",
    re.MULTILINE,
)
_FOUND = re.compile(r"(\d+) requests in")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_OTHERS = re.compile(r"Non-2xx or 3xx responses: (\d+)")


def debian() -> str:
    shipped = _NOT_HERE.sub("", DEBIAN.read_text(encoding="utf-8"))
    return f"""{shipped}
frontend front
    bind 127.0.0.1:{PORT}
    default_backend back
backend back
    server origin 127.0.0.1:{ORIGIN} check
"""


def lbkit() -> str:
    server = {"name": "origin", "address": "127.0.0.1", "port": ORIGIN}
    data = {
        "lbkit": 1,
        "name": "bench",
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {"lb": {"networks": ["front"]}},
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "frontends": {"front": {"bind": PORT, "backend": "back"}},
                "backends": {"back": {"health_check": {}, "servers": [server]}},
            }
        },
    }
    scope = operate.load_data(data, Path.cwd())
    balancer = scope.of("haproxy", LoadBalancers).by_name["shop"]
    text = wanted_on(balancer, "lb-1", scope, Host()).text
    return re.sub(r"^    (?:user|group) .*\n", "", text, flags=re.MULTILINE)


def origin() -> str:
    return f"""
defaults
    mode http
    timeout client 1m
    timeout server 1m
    timeout connect 1s
frontend origin
    bind 127.0.0.1:{ORIGIN}
    http-request return status 200 content-type text/plain string answer
"""


@contextmanager
def haproxy(folder: Path, text: str) -> Iterator[Master]:
    """Master and worker, as a service manager starts them."""
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    (folder / "servers.state").write_text(EMPTY_STATE, encoding="utf-8")

    def link() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        try:
            connection.connect(str(folder / "master"))
        except OSError as error:
            connection.close()
            raise Failure("HAProxy's master was to be asked", found=str(error)) from error
        return connection

    master = Master(link)
    argv = ["haproxy", "-W", "-S", "unix@master,mode,600", "-f", "haproxy.cfg"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
    try:
        if wait_for(SystemClock(), 10, master.workers) is None:
            raise SystemExit((folder / "log").read_text(encoding="utf-8"))
        yield master
    finally:
        process.terminate()
        process.wait()


def reload(master: Master) -> None:
    """Until the master has another worker."""
    before = master.workers()
    assert before is not None
    with contextlib.suppress(Failure):  # 2.6 is cut off as it executes itself anew
        master.ask("reload")

    def changed() -> bool | None:
        workers = master.workers()
        return True if workers is not None and workers.current != before.current else None

    assert wait_for(SystemClock(), 10, changed), "no new worker"


def lost(folder: Path, text: str, reloads: int) -> tuple[int, int, int]:
    """Requests, those lost, and old workers that are left when the last reload is a pause ago."""
    seconds = round(reloads * PAUSE * 1.4) + 2
    load = ["wrk", "-t1", "-c64", f"-d{seconds}s", "--timeout", "5s", f"http://127.0.0.1:{PORT}/"]
    with haproxy(folder, text) as master:
        wrk = subprocess.Popen(load, stdout=subprocess.PIPE, text=True)
        time.sleep(PAUSE)
        for _ in range(reloads):
            reload(master)
            time.sleep(PAUSE)
        said = wrk.communicate()[0]
        workers = master.workers()
    requests = int(_FOUND.search(said)[1])  # type: ignore[index]
    errors = _ERRORS.search(said)
    others = _OTHERS.search(said)
    failed = sum(map(int, errors.groups())) if errors else 0
    return requests, failed + (int(others[1]) if others else 0), len(workers.old) if workers else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="8 reloads instead of 20")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/reloads.py\n")
    reloads = 8 if arguments.quick else 20
    print(f"{reloads} reloads, 64 connections\n")
    print("| configuration | requests | lost | old workers left |")
    print("|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name, haproxy(Path(name, "origin"), origin()):
        for whose, text in {"Debian's": debian(), "lbkit's": lbkit()}.items():
            requests, failed, left = lost(Path(name, whose[:-2]), text, reloads)
            print(f"| {whose} | {requests:,} | {failed} | {left} |")


if __name__ == "__main__":
    main()
