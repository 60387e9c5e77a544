"""What stands otherwise, and zones that are found, against a real named that serves a zone and one below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbkit import zones
from lbkit.base.host import Host
from lbkit.dns.errors import ServerFailure, Unreachable
from lbkit.dns.keygen import write_key
from tests.dns.named import ALLOW, ZONE, ZONE_FILE, Named, running
from tests.dns.test_server import zone_of
from tests.dns.world import World, a, key_file

pytestmark = pytest.mark.sandbox

BELOW = f"sub.{ZONE}"
TWO = f'type primary; file "zone"; {ALLOW} }}; zone "{BELOW}" {{ type primary; file "below"; {ALLOW}'
RECORDS = f"""
old 600 A 192.0.2.99
www CNAME ns
out CNAME x.sub
dname DNAME sub.{ZONE}.
sub NS ns
gone NS ns.other.test.
"""


@pytest.fixture
def world(tmp_path: Path, host: Host) -> World:
    key_file(tmp_path)
    return World(tmp_path, host)


@pytest.fixture
def server(world: World) -> Iterator[Named]:
    folder = world.folder / "ns"
    folder.mkdir()
    (folder / "below").write_text(ZONE_FILE.format(zone=BELOW, records=""))
    with running(Named(folder, world.folder / "tsig.key", zone_clause=TWO, records=RECORDS)) as named:
        yield named


def found(world: World, *records: dict[str, Any], file: str = "tsig.key", port: int = 53) -> zones.ZoneServer:
    key = zones.tsig_key("lbkit", secret_file=world.folder / file)
    return zones.zone_server_for("127.0.0.1", records, port, key)


def test_the_zone_of_names_is_found_and_takes_them(world: World, server: Named) -> None:
    for name, kind, zone in [
        (f"new.a.b.{ZONE}.", "A", ZONE),
        (f"OLD.{ZONE}.", "A", ZONE),
        (f"*.wild.{ZONE}.", "A", ZONE),
        (f"{ZONE}.", "TXT", ZONE),
        (f"www.{ZONE}.", "CNAME", ZONE),
        (f"out.{ZONE}.", "CNAME", ZONE),
        (f"x.dname.{ZONE}.", "A", ZONE),
        (f"{BELOW}.", "DS", ZONE),
        (f"gone.{ZONE}.", "NS", ZONE),
        (f"gone.{ZONE}.", "DS", ZONE),
        (f"{BELOW}.", "NS", BELOW),
        (f"x.{BELOW}.", "A", BELOW),
    ]:
        assert found(world, {"name": name, "type": kind}).zone == zone, (name, kind)
    records = [a(f"h{number}.{ZONE}.", "192.0.2.1") for number in range(3)]
    at = found(world, *records)
    zones.apply_records(at, zones.asked(at.zone, records))
    assert f"h2.{ZONE}. 300 IN A 192.0.2.1" in zone_of(world)


def test_what_is_of_several_zones_or_of_none_is_said(world: World, server: Named) -> None:
    with pytest.raises(zones.OfSeveralZones) as several:
        found(
            world, a(f"a.{ZONE}.", "192.0.2.1"), a(f"b.{BELOW}.", "192.0.2.1"), a(f"c.{ZONE}.", "192.0.2.1")
        )
    assert several.value.found == f"in {ZONE}: a.{ZONE} A, c.{ZONE} A; in {BELOW}: b.{BELOW} A"
    for name, words in {
        f"ns.gone.{ZONE}.": f"delegates gone.{ZONE} to other",
        f"gone.{ZONE}.": "delegates",
        "elsewhere.org.": "REFUSED",
        "org.": "REFUSED",
    }.items():
        with pytest.raises(zones.NoZoneFound, match=words):
            found(world, a(name, "192.0.2.1"))
    write_key(world.folder / "other.key")
    with pytest.raises(ServerFailure, match="BADSIG"):
        found(world, a(f"a.{ZONE}.", "192.0.2.1"), file="other.key")
    with pytest.raises(Unreachable):
        found(world, a(f"a.{ZONE}.", "192.0.2.1"), port=54)


def test_what_stands_otherwise_is_kept_or_stops_all(world: World, server: Named) -> None:
    at = found(world, a(f"{ZONE}.", "x", kind="TXT"))
    records = [a("old", "192.0.2.1"), a("www", "other", kind="CNAME"), a("new", "192.0.2.1")]
    before = zone_of(world)
    with pytest.raises(zones.StandsOtherwise) as caught:
        zones.apply_records(at, zones.asked(ZONE, records, on_existing="fail"))
    assert caught.value.obstacles == (
        "old A, with TTL 600 and 192.0.2.99",
        f"www CNAME, with TTL 600 and ns.{ZONE}.",
    )
    assert zone_of(world) == before
    keeping = zones.asked(ZONE, records, on_existing="keep")
    planned = zones.plan_records(at, keeping)
    assert zones.apply_records(at, keeping, promised=planned) == planned
    assert planned.notes == tuple(f"stands otherwise, and stays so: {one}" for one in caught.value.obstacles)
    assert set(zone_of(world)) - set(before) == {f"new.{ZONE}. 300 IN A 192.0.2.1"}
    assert not zones.apply_records(at, keeping)
