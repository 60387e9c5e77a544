"""Modules that only look: check mode tells the same, and nothing moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.dns.keygen import write_key
from tests.ansible.conftest import Play
from tests.ansible.foretelling import looked
from tests.dns.named import ZONE, Named
from tests.dns.named import running as named_running
from tests.haproxy.bare import running as haproxy_running
from tests.haproxy.tls.authority import Authority
from tests.haproxy.versions import program

pytestmark = pytest.mark.sandbox

PORT = 9544
CONFIG = f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend f
    bind 127.0.0.1:{PORT} ssl crt shop.pem
    http-request return status 200
"""
MOVES = {  # what of a module's result is another one at each look
    "haproxy_info": ("info",),  # it counts who asks
    "health_check": ("seconds",),
    "tls_certificate_info": ("seconds_left",),
}


@pytest.fixture
def calls(netns: None, topology_name: str, tmp_path: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """By module what it is asked, with something to be seen for each."""
    write_key(tmp_path / "tsig.key")
    key = {"name": "lbkit", "secret_file": str(tmp_path / "tsig.key")}
    Authority().issue("shop.example.org").write(tmp_path / "h" / "shop.pem")
    mirror = {
        "upstream": "rsync://127.0.0.1:9/m",
        "master": "store",
        "nodes": "node",
        "key": {"file": "tsig.key"},
    }
    document = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.87.0.0/24"}},
        "machines": {"store": {"networks": ["in"]}, "node": {"networks": ["in"]}},
        "mirrors": {"debian": {**mirror, "publish": {"http": {"port": 8000}}}},
    }
    source = {"definition": document, "folder": str(tmp_path), "run_dir": str(tmp_path / "run")}
    with ExitStack() as stack:
        stack.enter_context(named_running(Named(tmp_path / "ns", tmp_path / "tsig.key")))
        haproxy = stack.enter_context(haproxy_running(program("2.6"), tmp_path / "h", CONFIG))
        yield {
            "topology_info": source,
            "mirror_info": source,
            "dns_zone_info": {"server": "127.0.0.1", "zone": ZONE, "key": key},
            "haproxy_info": {"socket": str(haproxy.folder / "runtime.sock")},
            "health_check": {"address": "127.0.0.1", "port": PORT, "check": {"protocol": "tcp"}},
            "tls_certificate_info": {"address": "127.0.0.1", "port": PORT, "server_name": "shop.example.org"},
            "mirror_machine_check": {"role": "node", "path": "/proc/mirrors", "min_inodes": 1},
        }
        assert not lbkit.observe(lbkit.load_data(document, tmp_path), lbkit.Host(run_dir=tmp_path / "run"))


@pytest.mark.foretells(
    "topology_info",
    "mirror_info",
    "dns_zone_info",
    "haproxy_info",
    "health_check",
    "tls_certificate_info",
    "mirror_machine_check",
)
def test_check_mode_tells_what_a_run_tells(
    calls: dict[str, dict[str, Any]], play: Play, tmp_path: Path
) -> None:
    tasks = [
        {
            "name": f"{said}: {module}",
            f"lbkit.core.{module}": arguments,
            "check_mode": said == "check",
            "ignore_errors": module == "mirror_machine_check",  # it finds no good place, and says why
        }
        for module, arguments in calls.items()
        for said in ("check", "do")
    ]
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    played = play(path)
    assert played.code == 0, played.text
    for module in calls:
        foreseen, came = played.task(f"check: {module}"), played.task(f"do: {module}")
        looked(module, foreseen, came, moves=MOVES.get(module, ()))
