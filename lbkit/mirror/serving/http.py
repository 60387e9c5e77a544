"""The web server of a machine: write what nginx is told, as the machine is, and become it.

CONFIG is JSON, and so are all paths in it relative to its folder:

    sites    a list of {"name", "store", "listen": [[ADDRESS, PORT], ...], "keep", "stages"}: a mirror, the folder of its store, which
             may come later, where it is served, how many generations readers find, and, where there are some, the stages that
             it is fetched in, as the keeper's
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.files import make_folder, read, write_atomic
from lbkit.machine.local.proc import every_stat
from lbkit.mirror.program import data_of
from lbkit.mirror.serving import nginx
from lbkit.mirror.serving.launch import (
    account,
    allow_ports,
    become,
    demand_free,
    demand_passable,
    leave_root,
    program,
)
from lbkit.mirror.sync.project import Stage

_MOST = 16384  # files that a worker of nginx has open: two for a download
_TRIED, _PROBE = f"{nginx.CONFIG}.tried", "tmp/probe"
_TRIED_WITHIN = 60.0  # seconds for nginx to say whether it would take one: under emulation it needs some
_TAKEN_WITHIN = 30.0  # seconds until nginx has read a new configuration


def serve(config: Path) -> int:
    """Returns never: it is nginx then. SIGTERM ends it at once, SIGQUIT when the downloads under way have ended."""
    folder = config.parent.resolve()
    data = data_of(config)
    endpoints = _endpoints(data)
    for address, port in endpoints:
        demand_free(address, port)
    path = _render(folder, data)
    leave_root(port for _, port in endpoints)
    become([path, "-p", str(folder), "-c", nginx.CONFIG, "-e", "stderr"])


def reload(config: Path) -> int:
    """The running one takes the configuration as it is now. Requests under way go on with the one before."""
    folder = config.parent.resolve()
    data = data_of(config)
    master = _master(folder)
    _render(folder, data)
    allow_ports(port for _, port in _endpoints(data))
    before = _workers(master)
    os.kill(master, signal.SIGHUP)
    until = time.monotonic() + _TAKEN_WITHIN
    while before & (now := _workers(master)) or not now:
        if time.monotonic() > until:
            raise Failure(
                "nginx was to take its new configuration",
                found=f"its workers go on with the one before after {_TAKEN_WITHIN:g} s",
                where=str(folder),
                remedy="its log says why; another program may have one of the ports",
            )
        time.sleep(0.02)  # nothing tells of another's children
    return 0


def _render(folder: Path, data: Mapping[str, Any]) -> str:
    """nginx.conf stands when this returns, and nginx would take it. The path of nginx."""
    path = program("nginx", "nginx-light")
    who = account()
    sites = []
    for site in data["sites"]:
        store = Path(os.path.normpath(folder / site["store"]))
        if who is not None:
            demand_passable(store, who)
        listen = [_endpoint(address, port) for address, port in site["listen"]]
        stages = [Stage(each["folder"], each["contents"]) for each in site.get("stages", ())]
        sites.append(nginx.Site(site["name"], str(store), listen, site["keep"], stages))
    user = "" if who is None else f"{who.user} {who.group}"
    make_folder(folder / "tmp")
    connections = _files() // 2
    tried = user or ("root" if os.geteuid() == 0 else "")  # root alone cannot leave it out
    _check(path, folder, nginx.config([_off(site) for site in sites], user=tried, connections=connections))
    text = nginx.config(sites, user=user, connections=connections)
    write_atomic(folder / nginx.CONFIG, text.encode())
    return path


def _endpoints(data: Mapping[str, Any]) -> list[tuple[str, int]]:
    return sorted({(address, port) for site in data["sites"] for address, port in site["listen"]})


def _off(site: nginx.Site) -> nginx.Site:
    """`nginx -t` listens for a moment, and hears nobody: not where clients come."""
    return replace(site, listen=[f"unix:{_PROBE}"])


def _check(path: str, folder: Path, text: str) -> None:
    write_atomic(folder / _TRIED, text.encode())
    argv = [path, "-t", "-q", "-p", str(folder), "-c", _TRIED, "-e", "stderr"]
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TRIED_WITHIN,
        )
        wrong = done.stderr.strip()[-2000:] if done.returncode != 0 else None
    except subprocess.TimeoutExpired:
        wrong = f"it says nothing for {_TRIED_WITHIN:g} s"
    finally:
        (folder / _PROBE).unlink(missing_ok=True)
    if wrong is not None:
        raise Failure(
            "nginx was to take its configuration",
            found=wrong,
            where=str(folder / _TRIED),
            remedy="it is made for nginx 1.20 and later",
        )
    (folder / _TRIED).unlink()


def _files() -> int:
    """How many files a worker may have open; from here on that many, as nginx takes it over."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _master(folder: Path) -> int:
    """The process of the nginx that was started in that folder."""
    words = (read(folder / nginx.PID) or b"").strip()
    said = read(Path("/proc", words.decode(), "cmdline")) if words.isdigit() else None
    if said is None or b"nginx: master process" not in said or os.fsencode(folder) not in said:
        raise Failure(
            "nginx was to take a new configuration",
            found="it does not run",
            where=str(folder),
            remedy="start its service",
        )
    return int(words)


def _workers(master: int) -> set[int]:
    """Those that take requests: one of before stays while downloads are under way, and says so in its title."""
    children = (each.pid for each in every_stat() if each.parent == master)
    return {pid for pid in children if b"shutting down" not in (read(Path(f"/proc/{pid}/cmdline")) or b"")}
