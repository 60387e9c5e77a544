"""Others who change the zone meanwhile, servers that lag, many records, and death in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.dns.apply import ATTEMPTS
from lbkit.dns.client import Client
from lbkit.dns.edits import Unit
from lbkit.dns.room import ROOM
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.view import Health

from .named import ALLOW, PRIMARY, ZONE, Named, running
from .test_server import dig, nsupdate, zone_of
from .world import World, a, key, key_file

pytestmark = pytest.mark.sandbox


@pytest.fixture
def world(tmp_path: Path, host: Host) -> World:
    key_file(tmp_path)
    return World(tmp_path, host)


@pytest.fixture
def server(world: World) -> Iterator[Named]:
    with running(Named(world.folder / "ns", world.folder / "tsig.key")) as named:
        yield named


def meddle(world: World, monkeypatch: pytest.MonkeyPatch, *commands: str, times: int = 1) -> list[int]:
    """Before each of the first updates, somebody else is quicker. Gives the growing list of updates tried."""
    update = Client.update
    tried: list[int] = []

    def slower(self: Client, units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
        tried.append(len(units))
        if len(tried) <= times:
            nsupdate(world, *(command.format(number=len(tried)) for command in commands))
        return update(self, units)

    monkeypatch.setattr(Client, "update", slower)
    return tried


def test_a_change_in_between_is_seen_and_the_zone_read_again(
    world: World, server: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = meddle(world, monkeypatch, f"update add x.{ZONE} 77 A 192.0.2.50")
    scope = world.scope(a("x", "192.0.2.1"))
    world.apply(scope)
    assert len(tried) == 2
    assert f"x.{ZONE}. 77 IN A 192.0.2.50" in zone_of(world)
    assert f"x.{ZONE}. 77 IN A 192.0.2.1" in zone_of(world)
    assert not world.plan(scope)


def test_one_who_is_always_quicker_ends_it_with_an_error(
    world: World, server: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = meddle(world, monkeypatch, f"update add x.{ZONE} 77 A 192.0.2.{{number}}", times=99)
    with pytest.raises(ApplyFailed, match="in the meantime"):
        world.apply(world.scope(a("x", "192.0.2.200")))
    assert len(tried) == ATTEMPTS
    assert "192.0.2.200" not in dig("x", "A")


@pytest.mark.parametrize("command", ["x.{zone} 77 A 192.0.2.1", "x.{zone} 77 CNAME elsewhere.test."])
def test_what_somebody_puts_in_the_way_in_between_is_never_taken_for_ours(
    world: World, server: Named, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    meddle(world, monkeypatch, "update add " + command.format(zone=ZONE))
    before = zone_of(world)
    with pytest.raises(ApplyFailed, match="in the way"):
        world.apply(world.scope(a("x", "192.0.2.1")))
    assert len(zone_of(world)) == len(before) + 1


def test_what_stands_by_apply_time_is_not_sent_again(world: World, server: Named) -> None:
    scope = world.scope(a("x", "192.0.2.1"))
    late = world.plan(scope)
    world.apply(scope)
    before = zone_of(world)
    done = {}
    ROOM.apply(late.changes, scope, world.host, lambda change, detail: done.setdefault(change.key, detail))
    assert done == {key("x"): "nothing: it is so already"}
    assert zone_of(world) == before


SECOND = {"address": "127.0.0.1", "port": 54}


def secondary(world: World, *, notified: bool) -> tuple[Named, Named]:
    also = "also-notify { 127.0.0.1 port 54; }; notify-delay 0; notify explicit; " if notified else ""
    primary = Named(world.folder / "ns1", world.folder / "tsig.key")
    primary.zone_clause = PRIMARY.format(allow=ALLOW + also)
    second = Named(world.folder / "ns2", world.folder / "tsig.key", port=54, ready="Transfer completed")
    second.zone_clause = 'type secondary; file "zone"; primaries { 127.0.0.1 key lbkit; }; '
    second.zone_clause += "allow-notify { 127.0.0.1; }; min-refresh-time 3600;"
    return primary, second


def test_a_secondary_that_follows_serves_the_update_when_the_apply_ends(world: World) -> None:
    primary, second = secondary(world, notified=True)
    with running(primary), running(second):
        scope = world.scope(a("x", "192.0.2.1"), servers=["127.0.0.1", SECOND], settle=30)
        world.apply(scope)
        assert dig("x", "A", port=54) == ["192.0.2.1"]
        (row,) = ROOM.status(scope, world.host)
        assert (row.present, row.health) == (True, Health.UP)
        assert len(set(row.facts["serials"].values())) == 1


def test_a_secondary_that_lags_is_named(world: World) -> None:
    primary, second = secondary(world, notified=False)
    with running(primary), running(second):
        scope = world.scope(a("x", "192.0.2.1"), servers=["127.0.0.1", SECOND], settle=0.5)
        with pytest.raises(ApplyFailed, match=r"127\.0\.0\.1 port 54 serves serial 1, not 2") as caught:
            world.apply(scope)
        assert len(caught.value.result.done) == 1
        (row,) = ROOM.status(scope, world.host)
        assert (row.present, row.health) == (True, Health.DEGRADED)
        assert "serials differ" in row.detail
        findings = ROOM.explain(scope, world.host, [ZONE, "x"]) or ()
        assert [finding.good for finding in findings] == [True, True, False]


@pytest.mark.parametrize("inline", ["inline-signing yes;", ""])
def test_a_zone_that_its_server_signs_takes_updates_too(world: World, inline: str) -> None:
    clause = PRIMARY.format(allow=f"{ALLOW} dnssec-policy default; {inline}")
    with running(Named(world.folder / "ns", world.folder / "tsig.key", zone_clause=clause)):
        scope = world.scope(a("x", "192.0.2.1"), a("y", "z", kind="CNAME"))
        world.apply(scope)
        assert not world.plan(scope)
        scope = world.scope(a("x", "192.0.2.2", ttl=5), a("y", "text", kind="TXT"))
        world.apply(scope)
        assert not world.plan(scope)
        world.apply(scope, absent=True)
        assert dig("x", "A") == dig("y", "TXT") == []


def many(count: int) -> list[dict]:
    return [a(f"host-{number:04d}", f"10.1.{number // 250}.{number % 250 + 1}") for number in range(count)]


def test_three_thousand_records_go_in_few_messages(
    world: World, server: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = Client._write

    def counted(self: Client, wire: bytes) -> None:
        if len(wire) > 200:  # an update, not a question
            written.append(len(wire))
        write(self, wire)

    monkeypatch.setattr(Client, "_write", counted)
    scope = world.scope(*many(3000))
    assert len(world.apply(scope).done) == 3000
    assert len(written) <= 7
    assert max(written) <= 65535
    assert not world.plan(scope)
    world.apply(scope, absent=True)
    assert not world.plan(scope, absent=True)
    assert len(zone_of(world)) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from lbkit.base.host import Host
from lbkit.dns.client import Client
sys.path.insert(0, sys.argv[2])
from tests.dns.test_concurrency import many
from tests.dns.world import World

update, left = Client._write, int(sys.argv[3])

def dying(self, wire):
    global left
    if len(wire) > 200:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    update(self, wire)

Client._write = dying
folder = Path(sys.argv[1])
world = World(folder, Host(run_dir=folder / "run"))
world.apply(world.scope(*many(1200)))
"""


@pytest.mark.parametrize("messages", [0, 1, 2])
def test_killed_between_messages_the_next_apply_converges_and_a_destroy_leaves_nothing(
    world: World, server: Named, messages: int
) -> None:
    before = zone_of(world)
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", KILLED, str(world.folder), str(root), str(messages)]
    died = subprocess.run(argv, cwd=root, check=False)
    assert died.returncode == -signal.SIGKILL
    stood = len(zone_of(world)) - len(before)
    assert (stood > 0) == (messages > 0)
    scope = world.scope(*many(1200))
    world.apply(scope)
    assert not world.plan(scope)
    assert len(zone_of(world)) == len(before) + 2400
    world.apply(scope, absent=True)
    assert zone_of(world) == before
