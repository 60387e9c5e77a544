"""Servers behind the load balancer under test: one machine whose every port is a server of its own.

A good port answers its number. A sick one fails its health check and counts what else it is asked. On a silent one
connections are accepted and nothing is ever said; on a port that is none of these nobody listens.
"""

from __future__ import annotations

import csv
import socket
from collections.abc import Mapping
from typing import Any

from lbkit.machine.contract import Machine

BACKENDS = ("web", "api", "kept", "plain", "raw")
GOOD: Mapping[str, range] = {
    name: range(9000 + 20 * index, 9020 + 20 * index) for index, name in enumerate(BACKENDS)
}
SICK, CLOSED, SILENT = range(9500, 9510), range(9600, 9610), range(9700, 9704)
SLOW = "/slow"  # below it: a response that takes a second
_STREAM = 8999

_CONFIG = f"""
global
    stats socket unix@stats.sock mode 600 level admin
    maxconn 3000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend good
    bind :{GOOD["web"].start}-{GOOD["raw"].stop - 1}
    http-request return status 200 content-type text/plain lf-string %[dst_port] unless {{ path_sub {SLOW} }}
    default_backend stream
frontend sick
    bind :{SICK.start}-{SICK.stop - 1}
    http-request return status 404 if {{ path /healthz }}
    http-request return status 500
backend stream
    http-request set-header X-Port %[dst_port]
    server stream 127.0.0.1:{_STREAM}
"""

_STREAMER = f"""
import asyncio, socket

async def slow(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().lower()
            port = head.partition("x-port: ")[2].split()[0].encode()
            body = port.ljust(8) * 2000
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body))
            for at in range(0, len(body), 400):
                writer.write(body[at:at + 400])
                await writer.drain()
                await asyncio.sleep(0.025)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def silent(reader, writer):
    try:
        await asyncio.sleep(3600)
    finally:
        writer.close()

async def main():
    await asyncio.start_server(slow, "127.0.0.1", {_STREAM})
    for port in range({SILENT.start}, {SILENT.stop}):
        await asyncio.start_server(silent, "", port)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def machines() -> dict[str, Any]:
    return {
        "lb": {"count": 1, "networks": {"front": {"addresses": ["10.80.0.11"]}, "back": {}}},
        "app": {
            "count": 1,
            "networks": {"back": {"addresses": ["10.80.1.21"]}},
            "run": [
                {
                    "name": "stream",
                    "command": ["/usr/bin/python3", "-I", "stream.py"],
                    "files": {"stream.py": {"content": _STREAMER}},
                    "ready": {"port": SILENT.stop - 1},
                },
                {
                    "name": "apps",
                    "command": ["haproxy", "-db", "-f", "apps.cfg"],
                    "files": {"apps.cfg": {"content": _CONFIG}},
                    "ready": {"port": SICK.start},
                },
            ],
        },
    }


def bring_up(backends: Mapping[str, Any]) -> None:
    """Give each server that is dead a good port."""
    for name, backend in backends.items():
        for server in backend["servers"]:
            if not any(server["port"] in ports for ports in GOOD.values()):
                taken = {each["port"] for each in backend["servers"]}
                server["port"] = next(port for port in GOOD[name] if port not in taken)


ADDRESS = "10.80.1.21"
FRONT = "10.80.0.11"


def asked_while_sick(app: Machine) -> int:
    """Requests, other than health checks, that sick ports have had."""
    with app.connect(app.folder("apps") / "stats.sock") as connection:
        connection.sendall(b"show stat\n")
        connection.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    rows = csv.DictReader(text.lstrip("# ").splitlines())
    return next(int(row["hrsp_5xx"]) for row in rows if row["pxname"] == "sick")
