"""One HAProxy of a given version, master and worker, alone in a folder: maps, lists and certificates in it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.haproxy.runtime import Info, Master, Runtime
from lbkit.haproxy.waiting import wait_for
from tests.haproxy.versions import program

CONFIG = """
global
  stats socket unix@runtime mode 600 level admin
  maxconn 100
  description {description}
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 1s
frontend f
  bind unix@front ssl crt-list certs/list
  http-request deny unless {{ src -f maps/allow.acl }}
  http-request track-sc0 hdr(x) table st
  use_backend %[base,map_beg(maps/http.map,web)]
backend st
  stick-table type string len 64 size 1k expire 1h store http_req_cnt,gpc0
backend web
  balance roundrobin
  server a 127.0.0.1:1 check inter 1h agent-check agent-port 2 agent-inter 1h
  server b 127.0.0.1:1 weight 10
backend big
  balance roundrobin
{servers}
"""
SERVERS = 1000


@dataclass(frozen=True)
class Daemon:
    folder: Path

    def link(self, name: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        try:
            connection.connect(str(self.folder / name))
        except OSError as error:
            connection.close()
            raise Failure("a socket of HAProxy's was wanted", found=str(error)) from error
        return connection

    def runtime(self) -> Runtime:
        return Runtime(self.link("runtime"))

    @property
    def master(self) -> Master:
        return Master(lambda: self.link("master"))

    def write(self, *, description: str, extra: str = "") -> None:
        servers = "\n".join(f"  server s{n} 127.0.0.1:{n}" for n in range(1, SERVERS + 1))
        text = CONFIG.format(description=description, servers=servers)
        (self.folder / "haproxy.cfg").write_text(text + extra)

    def answer(self) -> Info | None:
        try:
            with self.runtime() as runtime:
                return runtime.info()
        except Failure:
            return None


@contextmanager
def haproxy(version: str, folder: Path) -> Iterator[Daemon]:
    daemon = Daemon(folder)
    for inner in ("certs", "maps"):
        (folder / inner).mkdir()
    (folder / "certs/shop.pem").write_bytes(certificate("shop.example.org"))
    (folder / "certs/list").write_text("certs/shop.pem [alpn h2] shop.example.org\n")
    (folder / "maps/http.map").write_text("shop.example.org/ web\n")
    (folder / "maps/allow.acl").write_text("10.0.0.0/8\n")
    daemon.write(description="first")
    argv = [str(program(version)), "-W", "-S", "unix@master,mode,600", "-f", "haproxy.cfg"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
    try:
        ready = wait_for(
            SystemClock(), 20, lambda: (daemon.answer() and daemon.master.workers()) or _ended(process)
        )
        assert ready not in {None, False}, (folder / "log").read_text()
        yield daemon
    finally:
        process.terminate()
        process.wait()


def certificate(name: str) -> bytes:
    """A key and a certificate of its own signature, in one PEM."""
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", "-"),
        ],
        check=True,
        capture_output=True,
    )
    return done.stdout


def _ended(process: subprocess.Popen[bytes]) -> bool | None:
    return None if process.poll() is None else False
