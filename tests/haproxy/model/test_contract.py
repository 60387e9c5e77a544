"""The model against real HAProxys: the same commands, the same replies, and the same state when checks have spoken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.haproxy.waiting import wait_for
from tests.haproxy.bare import GLOBAL, Bare, running
from tests.haproxy.model.machine import ModelMachine
from tests.haproxy.model.worker import Worker
from tests.haproxy.model.world import World
from tests.haproxy.tls.authority import Authority
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

GOOD, DEAD = 9001, 9003
CONFIG = f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
    timeout check 1s
    load-server-state-from-file global
frontend good
    bind 127.0.0.1:{GOOD}
    http-request return status 200 if {{ path,map_beg(maps/a.map) -m found }} || {{ src -f maps/b.acl }}
    http-request return status 200
frontend tls
    bind 127.0.0.1:9443 ssl crt certs/a.pem crt-list certs/tls.list
    http-request return status 200
backend be
    balance roundrobin
    default-server check inter 20 rise 2 fall 2
    server s 127.0.0.1:{GOOD} weight 7
    server x 127.0.0.1:{DEAD} weight 7
    server off 127.0.0.1:{GOOD} weight 7 maxconn 9 disabled
backend un
    balance static-rr
    server u 127.0.0.1:{DEAD} weight 7 backup
"""
ADD = "add server be/n 127.0.0.1:{port} check inter 20 rise 2 fall 2 weight 3 maxconn 5 backup"
SCRIPTS = {
    "drain": ["set server be/s state drain", "set server be/s state ready", "set server be/s state maint",
              "set server be/s state drain", "set server be/x state drain", "set server be/x state ready"],
    "disabled": ["set server be/off state ready", "set server be/off state maint", "set server be/off state drain"],
    "down": ["set server be/s health down", "set server un/u health down", "set server un/u state drain",
             "set server un/u state maint", "set server un/u health down", "set server un/u state ready"],
    "unchecked": ["disable health be/s", "set server be/s health down", "enable health be/s",
                  "disable health be/x", "set server be/x state maint", "enable health be/x",
                  "set server be/x state ready", "enable health un/u", "disable health un/u"],
    "paused": ["set server be/s state maint", "disable health be/s", "set server be/s state drain", "enable health be/s",
               "set server be/s state ready"],
    "moves": [f"set server be/s addr 127.0.0.1 port {GOOD}",
              f"disable health be/s;set server be/s health down; set server be/s addr 127.0.0.1 port {DEAD}; enable health be/s",
              f"set server be/s addr 127.0.0.2 port {GOOD}", f"set server be/s addr 127.0.0.1 port {GOOD}"],
    "new": [ADD.format(port=GOOD), "enable health be/n", "set server be/n health down", "set server be/n state maint",
            "set server be/n state drain", "set server be/n health down; set server be/n state ready",
            ADD.format(port=GOOD), "del server be/n", "set server be/n state maint", "del server be/n", "del server be/n",
            ADD.format(port=DEAD).replace(" check", ""), "set server be/n state ready"],
    "dead and new": [ADD.format(port=DEAD), "enable health be/n; set server be/n state drain; set server be/n health down",
                     "set server be/n state ready", f"set server be/n addr 127.0.0.1 port {GOOD}"],
    "refused": ["add server un/n 127.0.0.1:1", "add server no/n 127.0.0.1:1", "add server be/n 127.0.0.1:1 cookie c",
                "set server be/no state ready", "set server be/s state odd", "set server be/s weight 300",
                "set server un/u weight 3", "enable health be/no", "set maxconn server be/no 3", "del server be/s",
                "shutdown sessions server be/no", "show servers state no", "show map maps/no.map",
                "show acl maps/no.acl"],
    "settings": ["set server be/s weight 0", "set server be/s weight 9", "set maxconn server be/s 3",
                 "set maxconn server be/s 0"],
    "maps": ["show map maps/a.map", "prepare map maps/a.map", "add map @1 maps/a.map /z z", "show map maps/a.map",
             "commit map @1 maps/a.map", "show map maps/a.map", "prepare map maps/a.map", "prepare map maps/a.map",
             "commit map @3 maps/a.map", "show map maps/a.map", "commit map @2 maps/a.map", "add map @9 maps/a.map /a a"],
    "acls": ["show acl maps/b.acl", "prepare acl maps/b.acl", "add acl @1 maps/b.acl 10.2.0.0/16",
             "add acl @1 maps/b.acl 10.1.0.0/16", "commit acl @1 maps/b.acl", "show acl maps/b.acl"],
    "certificates": ["show ssl cert", "new ssl cert certs/n.pem", "new ssl cert certs/n.pem", "show ssl cert certs/n.pem",
                     "add ssl crt-list certs/tls.list certs/n.pem", "set ssl cert certs/n.pem <<c",
                     "show ssl cert", "commit ssl cert certs/n.pem", "add ssl crt-list certs/tls.list certs/n.pem",
                     "show ssl crt-list -n certs/tls.list", "add ssl crt-list certs/tls.list certs/n.pem",
                     "del ssl cert certs/n.pem", "del ssl crt-list certs/tls.list certs/n.pem:3",
                     "del ssl crt-list certs/tls.list certs/n.pem", "show ssl crt-list -n certs/tls.list",
                     "del ssl cert certs/n.pem", "del ssl cert certs/n.pem", "commit ssl cert certs/n.pem"],
    "transactions": ["set ssl cert certs/no.pem <<c", "set ssl cert certs/a.pem <<c", "show ssl cert",
                     "set ssl cert certs/b.pem <<b", "commit ssl cert certs/b.pem", "abort ssl cert certs/b.pem",
                     "abort ssl cert certs/a.pem", "abort ssl cert certs/a.pem", "set ssl cert certs/b.pem <<c",
                     "commit ssl cert certs/b.pem", "set ssl cert certs/a.pem <<b", "set ssl cert certs/a.pem <<c"],
    "cut off": ["new ssl cert certs/m.pem", "del ssl cert certs/m.pem", "new ssl cert certs/m.pem", "set ssl cert certs/m.pem <<c",
                "abort ssl cert certs/m.pem", "show ssl cert", "del ssl cert certs/m.pem", "show ssl cert"],
}  # fmt: skip
STATES = {
    "none": [],
    "down": [f"0 be 0 s 127.0.0.1 0 0 7 7 0 1 0 0 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "held": [f"0 be 0 s 127.0.0.1 2 8 7 7 0 1 0 1 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "maintenance": [f"0 be 0 s 127.0.0.1 0 1 7 7 0 1 0 0 14 0 0 0 - {GOOD} - 0 0 - - 0"],
    "enabled again": [f"0 be 0 s 127.0.0.1 2 4 7 7 0 1 0 1 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "disabled": [f"0 be 0 off 127.0.0.1 2 0 7 7 0 1 0 1 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "weight": [f"0 be 0 s 127.0.0.1 2 0 3 7 0 1 0 1 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "another weight": [f"0 be 0 s 127.0.0.1 2 0 3 5 0 1 0 1 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "port": [f"0 be 0 x 127.0.0.9 2 0 7 7 0 1 0 1 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "no line of these": ["# wanted be/s 3 drain", "0 no 0 s - 0 0 7 7 0 1 0 0 6 0 0 0 - 1 - 0 0 - - 0",
                         f"0 be 0 s - 0 8 7 7 0 1 0 0 6 0 0 0 - {GOOD} - 0 0 - - 0",
                         f"0 be 0 s - 0 0 7 7 0 1 0 0 6 0 0 0 - {GOOD} - 0 0 - - 0"],
    "unchecked": [f"0 un 0 u - 0 0 7 7 0 1 0 0 6 0 0 0 - {DEAD} - 0 0 - - 0"],
}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    authority = Authority()
    pems = {name: authority.issue(f"{name}.test") for name in ("a", "b", "c")}
    return {
        **{f"certs/{name}.pem": issued.pem + issued.key_pem for name, issued in pems.items()},
        "certs/tls.list": b"certs/b.pem b.test\n",
        "maps/a.map": b"/a one\n# no entry\n/b two\n",
        "maps/b.acl": b"10.0.0.0/8\n",
    }


@contextmanager
def both(
    version: str, folder: Path, files: dict[str, bytes], state: list[str]
) -> Iterator[tuple[Bare, Worker]]:
    machine = ModelMachine(World(dead={("127.0.0.1", DEAD), ("127.0.0.2", GOOD)}), version)
    state_file = "\n".join(["1", *state, ""]).encode()
    machine.stored = {**files, "servers.state": state_file, "haproxy.cfg": (GLOBAL + CONFIG).encode()}
    machine.load()
    for path, content in machine.stored.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    with running(program(version), folder, CONFIG) as real:
        assert machine.worker is not None
        yield real, machine.worker


def states(worker: Worker) -> dict[str, tuple[object, ...]]:
    """When all checks have spoken. Of a check that rests not its count: one that was under way may have counted yet."""
    worker.world.pass_time(5)
    return {
        name: (server.op, server.admin, server.weight, server.initial_weight, server.status, server.result,
               None if server.check & 8 else server.health, server.check & ~1, server.place[1], server.maxconn, server.shown.partition(" -")[0])
        for name, server in worker.servers.items()
    }  # fmt: skip


def real_states(real: Bare) -> dict[str, tuple[object, ...]]:
    head, *lines = real.ask("show stat").splitlines()
    columns = head.removeprefix("# ").split(",")
    rows = [dict(zip(columns, line.split(","), strict=False)) for line in lines]
    _, head, *lines = real.ask("show servers state").splitlines()
    columns = head.removeprefix("# ").split()
    known = {
        (state["be_name"], state["srv_name"]): state
        for state in (dict(zip(columns, line.split(), strict=True)) for line in lines)
    }
    found: dict[str, tuple[object, ...]] = {}
    for row in rows:
        state = known.get((row["pxname"], row["svname"]))
        if state is None:
            continue
        found[f"{row['pxname']}/{row['svname']}"] = (
            *(int(state[f"srv_{name}"]) for name in ("op_state", "admin_state", "uweight", "iweight", "check_status",
                                                     "check_result")),
            None if int(state["srv_check_state"]) & 8 else int(state["srv_check_health"]),
            int(state["srv_check_state"]) & ~1, int(state["srv_port"]), int(row["slim"] or 0), row["status"].partition(" -")[0],
        )  # fmt: skip
    return found


TRIES = 3
"""Of which one has to be alike: what a real check says that is under way while a command comes, nobody can tell."""


def alike(real: Bare, model: Worker, after: str) -> list[str]:
    """What is not."""
    expected = states(model)
    others: list[str] = []

    def same() -> bool:
        seen = real_states(real)
        others[:] = [f"{name}: {seen.get(name)}, model {expected.get(name)}" for name in {**seen, **expected}
                     if seen.get(name) != expected.get(name)]  # fmt: skip
        return not others

    wait_for(SystemClock(), 3, lambda: same() or None)
    return [f"after {after}: {other}" for other in others]


def reply(text: str) -> str:
    """Without what differs from one to the next: addresses in memory, dates, dots, the rest of what is known."""
    lines = [line for line in text.strip().splitlines() if not line.startswith(
        ("Serial", "not", "Subject", "Algorithm", "Issuer", "Chain", "OCSP", "  "))]  # fmt: skip
    lines = [line.partition(" ")[2] if line.startswith("0x") else line for line in lines]
    return "\n".join(line.rstrip(".! ") for line in lines if line.rstrip(".! "))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_commands_do_the_same(
    netns: None, tmp_path: Path, version: str, script: str, files: dict[str, bytes]
) -> None:
    others = ["never tried"]
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        with both(version, folder, files, []) as (real, model):
            others = alike(real, model, "start") or _carried_out(script, real, model, files)
        if not others:
            break
    assert others == []


def _carried_out(script: str, real: Bare, model: Worker, files: dict[str, bytes]) -> list[str]:
    """Where the two are no longer alike."""
    for each in SCRIPTS[script]:
        line, _, content = each.partition(" <<")
        payload = files[f"certs/{content}.pem"].decode().strip() if content else None
        said = [model.answer(command.strip(), payload) for command in line.split(";")]
        answer = real.ask(line, payload=payload)
        assert reply(answer) == reply("\n".join(said)), line
        if others := alike(real, model, line):
            return others
    return []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state", STATES)
def test_the_server_state_file_says_the_same(
    netns: None, tmp_path: Path, version: str, state: str, files: dict[str, bytes]
) -> None:
    with both(version, tmp_path, files, STATES[state]) as (real, model):
        assert alike(real, model, state) == []
