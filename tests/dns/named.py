"""A real authoritative server for tests: BIND's named on an address of the loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ZONE = "example.test"

CONFIGURATION = """
include "{key_file}";
options {{
    directory "{folder}";
    listen-on port {port} {{ {address}; }};
    listen-on-v6 {{ none; }};
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    recursion no;
    dnssec-validation no;
    notify {notify};
    {options}
}};
controls {{ }};
zone "{zone}" {{ {zone_clause} }};
"""

PRIMARY = 'type primary; file "zone"; {allow}'
ALLOW = "allow-update { key lbkit; }; allow-transfer { key lbkit; };"

ZONE_FILE = """$TTL 600
@ SOA ns.{zone}. host.{zone}. 1 3600 600 86400 60
@ NS ns.{zone}.
ns A 127.0.0.1
{records}
"""


@dataclass
class Named:
    """One server. `records` go into the zone file as they are."""

    folder: Path
    key_file: Path
    address: str = "127.0.0.1"
    port: int = 53
    zone: str = ZONE
    zone_clause: str = PRIMARY.format(allow=ALLOW)
    records: str = ""
    notify: str = "no"
    options: str = ""
    ready: str = "running"  # the line of its log that says so
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> Named:
        self.folder.mkdir(parents=True, exist_ok=True)
        zone_file = self.folder / "zone"
        if not zone_file.exists() and "primary" in self.zone_clause:
            zone_file.write_text(ZONE_FILE.format(zone=self.zone, records=self.records))
        (self.folder / "named.conf").write_text(CONFIGURATION.format(**vars(self)))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["named", "-g", "-n", "1", "-c", str(self.folder / "named.conf")], stderr=log, stdout=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            if self.ready in self.log:
                with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 1):
                    return self
            time.sleep(0.02)
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
            self.process = None


@contextlib.contextmanager
def running(server: Named) -> Iterator[Named]:
    try:
        yield server.start()
    finally:
        server.stop()
