"""haproxy_backend, haproxy_server and haproxy_info against a HAProxy that runs: check mode predicts, a second run changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

import lbkit
from lbkit import haproxies
from lbkit.base.host import Host
from tests.ansible.conftest import ROOT, Play, Played
from tests.ansible.foretelling import foretold
from tests.haproxy.bare import Bare, running
from tests.haproxy.versions import program

pytestmark = pytest.mark.sandbox

SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
CONFIG = """
    stats socket unix@operator.sock mode 600 level operator
    stats socket ipv4@127.0.0.1:9999 level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend app
    bind 127.0.0.1:9001
    http-request return status 200
backend web
    balance roundrobin
    server a 127.0.0.1:9001 weight 10 check inter 100ms
    server b 127.0.0.1:9001 weight 10
"""
ASKS = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(sys.argv[1])
    asked.sendall(b"show stat -1 4 -1\\n")
    lines = [line.split(",") for line in asked.makefile() if line.strip()]
# of each: backend, name, status, weight, address
columns = [lines[0].index(name) for name in ("# pxname", "svname", "status", "weight", "addr")]
print(sorted([line[column] for column in columns] for line in lines[1:]), os.path.exists(sys.argv[2]))
"""


@pytest.fixture
def haproxy(netns: None, tmp_path: Path) -> Iterator[Bare]:
    folder = tmp_path / "h"
    folder.mkdir()
    with running(program("2.6"), folder, CONFIG) as made:
        yield made


def thrice(name: str, module: str, arguments: dict[str, Any], look: str) -> list[dict[str, Any]]:
    """In check mode, really, and again; `look` is a program that prints the state around check mode."""
    task = {f"lbkit.core.{module}": arguments}
    looks = {"ansible.builtin.debug": {"msg": f"{{{{ lookup('ansible.builtin.pipe', '{look}') }}}}"}}
    return [
        {"name": f"{name} before", **looks},
        {"name": f"{name} predicted", "check_mode": True, "diff": True, **task},
        {"name": f"{name} after", **looks},
        {"name": f"{name} done", "diff": True, **task},
        {"name": f"{name} again", **task},
    ]


def refused(name: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ignore_errors": True, f"lbkit.core.{module}": arguments}


def written(folder: Path, *tasks: dict[str, Any]) -> Path:
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return path


def came_true(played: Played, name: str, module: str = "haproxy_server") -> dict[str, Any]:
    predicted, done, again = (played.task(f"{name} {which}") for which in ("predicted", "done", "again"))
    before, after = (played.task(f"{name} {when}")["msg"] for when in ("before", "after"))
    assert before
    foretold(module, predicted, done, before=before, after=after)
    assert (done["changed"], again["changed"]) == (True, False), name
    assert again["plan"]["changes"] == []
    jsonschema.validate(done["plan"], SCHEMA)
    return done


def failure(played: Played, name: str) -> str:
    """The words of a task that failed, and changed nothing."""
    (outcome,) = (each["outcome"] for each in played.tasks if each["task"] == name)
    told = played.task(name)
    assert (outcome, bool(told.get("changed"))) == ("failed", False), name
    words: str = told["msg"]
    return words


def servers_of(result: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {server["name"]: (server["state"], server["weight"]) for server in result["servers"]}


def asks(folder: Path) -> Path:
    """A program that prints how the servers of a HAProxy are, and whether a file is there: `SOCKET FILE`."""
    path = folder / "asks.py"
    path.write_text(ASKS)
    return path


@pytest.mark.foretells("haproxy_backend", "haproxy_server")
def test_servers_by_a_socket(haproxy: Bare, play: Play, tmp_path: Path) -> None:
    socket = {"socket": str(haproxy.folder / "runtime.sock")}
    one = {**socket, "backend": "web"}
    new = {
        "name": "c", "address": "127.0.0.1", "port": 9001, "check": True, "weight": 5,
        "options": ["inter 100ms", "rise 1"],
    }  # fmt: skip
    kept = {"name": "a", "address": "127.0.0.1", "port": 9001}
    state_file = str(tmp_path / "servers.state")
    listed = {
        **one,
        "servers": [kept, new],
        "exclusive": True,
        "drain_timeout": "5s",
        "state_file": state_file,
    }
    drain = {**one, "name": "a", "state": "drain", "wait_for_drain": True, "drain_timeout": "10"}
    look = f"{sys.executable} -I {asks(tmp_path)} {socket['socket']} {state_file}"
    play_file = written(
        tmp_path,
        *thrice("list", "haproxy_backend", listed, look),
        *thrice("drain", "haproxy_server", drain, look),
        *thrice("back", "haproxy_server", {**one, "name": "a", "state": "ready", "weight": "50%"}, look),
        {"name": "all", "lbkit.core.haproxy_info": socket},
        refused("unknown backend", "haproxy_backend", {**one, "backend": "wbe", "servers": []}),
        refused("unknown server", "haproxy_server", {**one, "name": "aa", "state": "maint"}),
        refused("weight 999", "haproxy_server", {**one, "name": "a", "weight": 999}),
        refused("level", "haproxy_server", {**drain, "socket": str(haproxy.folder / "operator.sock")}),
        refused("reason", "haproxy_server", {**drain, "reason": "disk fails"}),
    )
    played = play(play_file)
    assert played.code == 0, played.text

    done = came_true(played, "list", "haproxy_backend")
    assert [(change["action"], change["resource"]["name"]) for change in done["plan"]["changes"]] == [
        ("create", "web/c"),
        ("delete", "web/b"),
        ("create", state_file),
    ]
    assert "server web/b:" in done["diff"]["before"]
    assert "server web/c:" in done["diff"]["after"]
    assert "lost when HAProxy reloads" in " ".join(done["plan"]["notes"])
    came_true(played, "drain")
    came_true(played, "back")
    told = played.task("all")
    assert servers_of(told) == {"a": ("ready", 5), "c": ("ready", 5)}
    assert (told["changed"], told["info"]["maxconn"]) == (False, 200)
    assert [row["name"] for row in told["frontends"] + told["backends"]] == ["app", "web"]

    for name, words in {
        "unknown backend": "did you mean 'web'",
        "unknown server": "did you mean 'a'",
        "weight 999": "from 0 to 256",
        "level": "level admin",
        "reason": "not with socket: reason",
    }.items():
        assert words in failure(played, name)
    assert servers_of(haproxies.info(socket["socket"])) == {"a": ("ready", 5), "c": ("ready", 5)}


def test_servers_of_a_topology_are_held_and_released(
    netns: None, play: Play, topology_name: str, tmp_path: Path
) -> None:
    servers = [{"name": name, "address": "127.0.0.1", "port": 9} for name in ("one", "two")]
    document = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.81.0.0/24"}},
        "machines": {"lb": {"networks": ["in"]}},
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "frontends": {"http": {"bind": 80, "backend": "web"}},
                "backends": {"web": {"health_check": False, "servers": servers}},
            }
        },
    }
    file = tmp_path / "topology.yml"
    file.write_text(json.dumps(document))
    source = {"file": str(file), "run_dir": f"/run/t/{topology_name}"}
    host = Host(run_dir=Path(source["run_dir"]))
    scope = lbkit.load(file)
    hold = {**source, "path": "shop/web/one", "state": "held", "reason": "disk fails", "for": "2h"}
    release = {**source, "path": "shop/web/one", "state": "released"}
    look = f"{sys.executable} {Path(__file__).with_name('state.py')} {host.run_dir}"

    try:
        lbkit.apply(scope, host)
        played = play(
            written(
                tmp_path,
                *thrice("hold", "haproxy_server", hold, look),
                {"name": "otherwise", "lbkit.core.haproxy_server": {**hold, "reason": "still"}},
                {"name": "while held", "lbkit.core.topology_info": source},
                *thrice("release", "haproxy_server", release, look),
                refused("unknown", "haproxy_server", {**hold, "path": "shop/web/oone"}),
                refused("no file", "haproxy_server", {"path": "shop/web/one", "state": "released"}),
            )
        )
        left = lbkit.holds(scope, host)
    finally:
        lbkit.destroy(scope, host)
    assert played.code == 0, played.text
    done = came_true(played, "hold")
    assert done["plan"]["changes"][0]["resource"] == {"kind": "hold", "name": "shop/web/one"}
    assert done["places"][0].startswith("lb: one is drained set server web/one state drain")
    assert played.task("otherwise")["changed"] is True
    (told,) = played.task("while held")["holds"]
    assert (told["reason"], bool(told["until"])) == ("still", True)
    assert came_true(played, "release")["places"][0].startswith("lb: one is")
    assert left == []
    for name, words in {
        "unknown": "did you mean 'shop/web/one'",
        "no file": "path needs file or definition",
    }.items():
        assert words in failure(played, name)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"socket": "/s", "state": "held"}, "state held needs path"),
        ({"socket": "/s", "for": "2h", "file": "f"}, "not with socket: for, file"),
        (
            {"path": "a/b/c", "state": "held", "weight": "3", "wait_for_drain": True},
            "not with path: weight, wait_for_drain",
        ),
        ({"path": "a/b/c", "state": "drain", "file": "f"}, "path needs state held or released"),
        (
            {"path": "a/b/c", "state": "released", "reason": "r", "file": "f"},
            "reason, until and for are of state held",
        ),
        ({"path": "a/b/c", "state": "released"}, "path needs file or definition"),
        ({"path": "a/b/c", "state": "released", "definition": {}}, ""),
        ({"socket": "/s", "weight": "3"}, ""),
    ],
)
def test_options_of_one_form_are_refused_with_the_other(given: dict[str, Any], words: str) -> None:
    module = import_module("ansible_collections.lbkit.core.plugins.modules.haproxy_server")
    names = (*module.LIVE, *module.HELD, "socket", "path", "state", "file", "definition", "folder", "run_dir")
    params = {
        **dict.fromkeys(names),
        **dict.fromkeys(("wait_for_drain", "wait_for_up", "cut_sessions"), False),
        **given,
    }
    assert module.refused(SimpleNamespace(params=params)).startswith(words)
    assert bool(module.refused(SimpleNamespace(params=params))) is bool(words)
