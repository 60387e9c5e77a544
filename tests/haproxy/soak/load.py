"""Clients by the thousand while something changes: wrk with and without keep-alive, and clients of Python's.

wrk asks for many, and tells how many of them failed. The others look closer: at each status, at who answered, at
whole downloads, at certificates, at a cookie that keeps them.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.haproxy.soak.apps import FRONT, GOOD, SLOW

LONGEST = 600  # seconds: whatever becomes of the test, the load ends
PATHS = ("/", "/r0/a", "/r1/b", "/r2/", "/r3/c/d", "/r4", "/api/x", "/kept/", "/plain/1")
HOSTS = ("shop.test", "a.test", "b.test")

_SCRIPT = """
local paths = {%(paths)s}
local number = 0
math.randomseed(%(seed)d)
function request()
  number = number + 1
  local path = paths[number %% #paths + 1]
  return wrk.format("GET", path, {["Host"] = "shop.test"%(header)s})
end
function delay()
  return math.random(0, %(pause)d)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nSAID {"requests": %%d, "connect": %%d, "read": %%d, "write": %%d, "status": %%d, "timeout": %%d}\\n',
    summary.requests, e.connect, e.read, e.write, e.status, e.timeout))
end
"""


@dataclass
class Load:
    """What clients met. `by_port`: which server answered how often."""

    asked: Counter[str] = field(default_factory=Counter)
    by_port: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.asked.total()


@contextmanager
def load(
    folder: Path, *, seed: int = 0, kept: int = 16, fresh: int = 8, to: Load | None = None
) -> Iterator[Load]:
    """While the block runs. All that came of it is told in what is returned, once it is over."""
    found = Load() if to is None else to
    over = threading.Event()
    programs = [
        _wrk(folder, "kept", kept, "", seed, pause=60),
        _wrk(folder, "fresh", fresh, ', ["Connection"] = "close"', seed, pause=60),
    ]
    acts = [_keeps, _fresh, _download, _download, _tls, _cookie, _raw]
    threads = [threading.Thread(target=_until_over, args=(act, over, found)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join()
        for name, program in programs:
            program.send_signal(signal.SIGINT)
            _count(found, name, *program.communicate(timeout=60))


def _wrk(
    folder: Path, name: str, connections: int, header: str, seed: int, *, pause: int
) -> tuple[str, subprocess.Popen[str]]:
    """`pause`: milliseconds at most between two requests of one connection."""
    script = folder / f"{name}.lua"
    paths = ", ".join(f'"{path}"' for path in PATHS)
    script.write_text(_SCRIPT % {"paths": paths, "seed": seed, "header": header, "pause": pause})
    argv = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{LONGEST}s",
        "--timeout",
        "20s",
        "-s",
        str(script),
        f"http://{FRONT}/",
    ]
    return f"wrk {name}", subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _count(found: Load, name: str, out: str, err: str) -> None:
    line = next((line for line in out.splitlines() if line.startswith("SAID ")), None)
    if line is None:
        found.failed.append(f"{name}: {out}{err}")
        return
    said: dict[str, int] = json.loads(line.removeprefix("SAID "))
    found.asked[name] += said.pop("requests")
    found.failed += [f"{name}: {count} {what}" for what, count in said.items() if count]


def _until_over(
    act: Callable[[threading.Event, Load], Iterator[tuple[str, str]]], over: threading.Event, found: Load
) -> None:
    """`act` yields, for each request, its kind and which port answered; begun anew after a failure."""
    while not over.is_set():
        try:
            for kind, port in act(over, found):
                found.asked[kind] += 1
                found.by_port[port] += 1
                if over.wait(0.01):
                    break
        except (OSError, http.client.HTTPException, AssertionError) as error:
            found.asked[act.__name__] += 1
            found.failed.append(f"{time.strftime('%H:%M:%S')} {act.__name__}: {error!r}")
            over.wait(0.05)


def _keeps(over: threading.Event, found: Load) -> Iterator[tuple[str, str]]:
    connection = http.client.HTTPConnection(FRONT, 80, timeout=20)
    try:
        while True:
            connection.request("GET", "/", headers={"Host": "shop.test"})
            yield "kept", _answer(connection)
    finally:
        connection.close()


def _fresh(over: threading.Event, found: Load) -> Iterator[tuple[str, str]]:
    for path in PATHS:
        yield "fresh", ask(path)


def _download(over: threading.Event, found: Load) -> Iterator[tuple[str, str]]:
    for path in (SLOW, f"/api{SLOW}", f"/kept{SLOW}", f"/plain{SLOW}"):
        yield "download", ask(path)


def _tls(over: threading.Event, found: Load) -> Iterator[tuple[str, str]]:
    for host in HOSTS:
        connection = tls_connection(host)
        try:
            for _ in range(3):
                connection.request("GET", "/", headers={"Host": "shop.test"})
                yield "tls", _answer(connection)
        finally:
            connection.close()


def _cookie(over: threading.Event, found: Load) -> Iterator[tuple[str, str]]:
    """One that shows the cookie that it was given, by connections of its own each."""
    cookie = ""
    for _ in range(200):
        connection = http.client.HTTPConnection(FRONT, 80, timeout=20)
        try:
            connection.request(
                "GET", "/kept/", headers={"Host": "shop.test", **({"Cookie": cookie} if cookie else {})}
            )
            response = connection.getresponse()
            cookie = (response.getheader("Set-Cookie") or cookie).partition(";")[0]
            yield "cookie", _said(response)
        finally:
            connection.close()


def _raw(over: threading.Event, found: Load) -> Iterator[tuple[str, str]]:
    """In tcp mode: a connection that is used for a while, and closed by the client."""
    with socket.create_connection((FRONT, 81), 20) as connection:
        for number in range(5):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            data = connection.recv(65536)
            assert data.startswith(b"HTTP/1.1 200"), (number, data)
            yield "raw", data.rpartition(b"\n")[2].decode()


def ask(path: str, host: str = "shop.test", *, port: int = 80) -> str:
    """The port of the server that answered 200."""
    connection = http.client.HTTPConnection(FRONT, port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        return _said(connection.getresponse(), path)
    finally:
        connection.close()


def status(path: str, host: str) -> tuple[int, str]:
    """The status, and where it leads."""
    connection = http.client.HTTPConnection(FRONT, 80, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.getheader("Location") or response.read().decode().strip()
    finally:
        connection.close()


def tls_connection(host: str) -> http.client.HTTPSConnection:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(FRONT, 443, timeout=20, context=context)
    # the name that is asked for is not the address that is dialled
    connection.sock = context.wrap_socket(socket.create_connection((FRONT, 443), 20), server_hostname=host)
    return connection


def served_certificate(host: str) -> bytes:
    """In DER."""
    connection = tls_connection(host)
    try:
        found = connection.sock.getpeercert(binary_form=True)
        assert found is not None
        return bytes(found)
    finally:
        connection.close()


def _answer(connection: http.client.HTTPConnection) -> str:
    return _said(connection.getresponse())


def _said(response: http.client.HTTPResponse, path: str = "") -> str:
    body = response.read().decode()
    assert response.status == 200, (path, response.status, body[:200])
    return body[:8].strip()


def backend_of(port: str) -> str:
    return next(name for name, ports in GOOD.items() if int(port) in ports)
