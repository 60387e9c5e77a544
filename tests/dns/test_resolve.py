"""Every mistake in the section is said, at its place, before anything is touched."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from lbkit.base.problems import dotted
from lbkit.dns.resolved import ResolvedZone, Zones
from lbkit.dns.room import ROOM
from lbkit.dns.spec import Dns
from lbkit.engine.book import Book, Endpoint
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.machine.resolved import Interface, Machines, ResolvedMachine, ResolvedService

from .world import a, key_file, zone_section

FRONT, BACK = IPv4Address("10.80.0.10"), IPv4Address("10.80.1.10")
VIP = Key("vip", "lb-1/shop")


def book() -> Book:
    both = {"front": (IPv4Address("10.80.0.21"), IPv6Address("fd00::21")), "back": (BACK,)}
    return Book(
        {
            "load_balancers.shop": (
                Endpoint("shop", {"front": (FRONT, IPv6Address("fd00::10"))}, frozenset({VIP})),
            ),
            "machines.web": (Endpoint("web-1", both),),
            "machines.none": (),
        }
    )


def machines() -> Machines:
    port = Interface(
        "front", "web.front", "lb0", "02:00:00:00:00:01", (IPv4Interface("10.80.0.53/24"),), 1500
    )
    one = ResolvedMachine("ns", "ns", "netns", (port,), (), (ResolvedService("named", ("named",)),))
    return Machines({"ns": one}, {"ns": ("ns",), "none": ()})


def resolved(section: dict[str, Any], folder: Path) -> tuple[Zones, list[tuple[str, str, str, str]]]:
    draft = Draft("web", folder, book(), resolved={"machine": machines()})
    zones = ROOM.resolve(Dns.model_validate(section), draft)
    said = [(dotted(one.path), one.wanted, one.found, one.remedy) for one in draft.problems]
    return zones, said


def good(folder: Path, *records: dict[str, Any], **more: Any) -> ResolvedZone:
    zones, said = resolved(zone_section(*records, **more), key_file(folder).parent)
    assert said == []
    return zones.by_name["example.test"]


def bad(folder: Path, *records: dict[str, Any], **more: Any) -> tuple[str, str, str, str]:
    """The one problem, its path below the zone."""
    _, said = resolved(zone_section(*records, **more), key_file(folder).parent)
    assert len(said) == 1, said
    path, *rest = said[0]
    return path.removeprefix("dns.zones.example.test."), *rest


def test_a_target_gives_the_addresses_of_each_family_and_what_must_stand(tmp_path: Path) -> None:
    zone = good(tmp_path, {"name": "shop", "target": "load_balancers.shop"})
    assert {place: rrset.values for place, rrset in zone.rrsets.items()} == {
        ("shop", "A"): ("10.80.0.10",),
        ("shop", "AAAA"): ("fd00::10",),
    }
    assert zone.rrsets["shop", "A"].requires == {VIP}


def test_a_type_picks_one_family_and_a_network_one_of_several(tmp_path: Path) -> None:
    zone = good(
        tmp_path,
        {"name": "shop", "type": "A", "target": "load_balancers.shop"},
        {"name": "web", "target": "machines.web", "network": "back"},
        {"name": "none", "target": "machines.none"},
    )
    assert {place: rrset.values for place, rrset in zone.rrsets.items()} == {
        ("shop", "A"): ("10.80.0.10",),
        ("web", "A"): ("10.80.1.10",),
    }


def test_records_of_one_name_and_type_are_one_rrset(tmp_path: Path) -> None:
    zone = good(
        tmp_path, {"name": "shop", "type": "A", "target": "load_balancers.shop"}, a("SHOP", "192.0.2.1")
    )
    assert zone.rrsets["shop", "A"].values == ("10.80.0.10", "192.0.2.1")


def test_servers_are_machines_of_the_topology_or_addresses(tmp_path: Path) -> None:
    zone = good(tmp_path, servers=["ns", "192.0.2.53", {"address": "2001:db8::53", "port": 5353}], port=54)
    assert [str(server) for server in zone.servers] == [
        "ns (10.80.0.53 port 54)",
        "192.0.2.53 port 54",
        "2001:db8::53 port 5353",
    ]
    assert zone.server_keys == {Key("machine", "ns"), Key("service", "ns/named")}


@pytest.mark.parametrize(
    ("records", "path", "words"),
    [
        ([a("b_ad name", "192.0.2.1")], "records[0].name", "labels"),
        ([a("x.other.", "192.0.2.1")], "records[0].name", "in the zone"),
        ([a("x", "192.0.2.1", "192.0.2.300")], "records[0].values[1]", "IPv4"),
        ([{"name": "x", "type": "TXT", "value": "a\x07"}], "records[0].value", "control"),
        ([a("@", "x", kind="CNAME")], "records[0].type", "apex"),
        ([a("@", "x", kind="NS")], "records[0].type", "apex"),
        ([a("*", "x", kind="NS")], "records[0].name", "wildcard"),
        ([a("x", "y", kind="CNAME"), a("x", "192.0.2.1")], "records[0]", "CNAME alone"),
        ([a("x", "y", "z", kind="CNAME")], "records[0]", "one value"),
        ([a("x", "192.0.2.1"), a("x", "192.0.2.1")], "records[1]", "once"),
        ([a("x", "192.0.2.1"), a("x", "192.0.2.2", ttl=5)], "records[1]", "one TTL"),
        (
            [{"name": "x", "target": "load_balancers.shop", "network": "frnt"}],
            "records[0].network",
            "network",
        ),
        ([{"name": "x", "target": "machines.web"}], "records[0].network", "network"),
        (
            [{"name": "x", "target": "machines.web", "network": "back", "type": "AAAA"}],
            "records[0].type",
            "IPv6",
        ),
    ],
)
def test_a_mistake_in_a_record_is_said_at_its_place(
    tmp_path: Path, records: list, path: str, words: str
) -> None:
    where, wanted, _, _ = bad(tmp_path, *records)
    assert where == path
    assert words in wanted


def test_near_misses_are_suggested(tmp_path: Path) -> None:
    _, _, found, remedy = bad(tmp_path, {"name": "x", "target": "load_balancers.shp"})
    assert (found, remedy) == ("'load_balancers.shp'", "did you mean 'load_balancers.shop'?")
    where, _, _, remedy = bad(tmp_path, servers=["nsx"])
    assert (where, remedy) == ("servers[0]", "did you mean 'ns'?")
    _, _, _, remedy = bad(tmp_path, {"name": "x", "target": "load_balancers.shop", "network": "frnt"})
    assert remedy == "did you mean 'front'?"


def test_servers_that_are_none_or_twice_are_mistakes(tmp_path: Path) -> None:
    assert bad(tmp_path, servers=["none"])[0] == "servers[0]"
    assert bad(tmp_path, servers=["192.0.2.1", "192.0.2.1"])[0] == "servers[1]"


def test_a_name_of_a_deeper_zone_belongs_there(tmp_path: Path) -> None:
    key_file(tmp_path)
    section = zone_section(a("x.sub", "192.0.2.1"), a("sub", "192.0.2.1"), a("xsub", "192.0.2.1"))
    section["zones"]["sub.example.test"] = {**section["zones"]["example.test"], "records": []}
    _, said = resolved(section, tmp_path)
    assert [path for path, *_ in said] == [
        f"dns.zones.example.test.records[{index}].name" for index in (0, 1)
    ]


def test_the_secret_file_must_be_there_and_its_owner_s_alone(tmp_path: Path) -> None:
    _, said = resolved(zone_section(), tmp_path)
    ((path, _, found, remedy),) = said
    assert path == "dns.zones.example.test.tsig.secret.file"
    assert found == "No such file or directory"
    assert "lbkit keygen" in remedy
    key_file(tmp_path).chmod(0o640)
    ((_, _, found, remedy),) = resolved(zone_section(), tmp_path)[1]
    assert (found, remedy) == ("mode 0640", f"chmod 600 {tmp_path / 'tsig.key'}")


def zone(**more: Any) -> dict[str, Any]:
    return {"zones": {"example.test": {**zone_section()["zones"]["example.test"], **more}}}


@pytest.mark.parametrize(
    "section",
    [
        zone(servers=[]),
        zone(servers=[{"machines": "ns", "address": "192.0.2.1"}]),
        zone(servers=["not a name"]),
        zone(port=0),
        zone(ttl=-1),
        zone(ttl=2**31),
        zone(ttl="soon"),
        zone(tsig={"name": "lbkit", "secret": {}}),
        zone(tsig={"name": "lbkit", "secret": {"file": "a", "env": "B"}}),
        zone(tsig={"name": "lb kit", "secret": {"env": "B"}}),
        zone(tsig={"name": "lbkit", "algorithm": "hmac-md5", "secret": {"env": "B"}}),
        zone(records=[{"name": "x", "type": "A"}]),
        zone(records=[{"name": "x", "value": "192.0.2.1"}]),
        zone(records=[{"name": "x", "type": "TXT", "target": "machines.web"}]),
        zone(records=[{"name": "x", "type": "A", "value": "192.0.2.1", "network": "front"}]),
        zone(records=[{"name": "x", "type": "HINFO", "value": "x y"}]),
        {"zones": {"Example.test": zone()["zones"]["example.test"]}},
        {"zones": {"example.test.": zone()["zones"]["example.test"]}},
        {"zones": {"exa mple": zone()["zones"]["example.test"]}},
        {"zonse": {}},
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_model(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dns.model_validate(section)


def test_an_address_that_the_topology_itself_has_requires_what_makes_it(tmp_path: Path) -> None:
    """Else its machine may go before the records that only its server can remove."""
    zone = good(tmp_path, a("shop", "192.0.2.7"), servers=["10.80.0.10", "192.0.2.1"])
    assert [(server.machine, server.keys) for server in zone.servers] == [
        (None, frozenset({VIP})),
        (None, frozenset()),
    ]


def test_a_ttl_is_seconds_or_a_duration(tmp_path: Path) -> None:
    found = good(
        tmp_path, a("x", "192.0.2.1", ttl="5m"), a("y", "192.0.2.1", ttl=0), a("z", "192.0.2.1"), ttl="1d"
    )
    assert [rrset.ttl for rrset in found.rrsets.values()] == [300, 0, 86400]


def test_the_schema_lets_a_server_be_a_word() -> None:
    schema = Dns.model_json_schema()["$defs"]["Server"]
    assert schema["anyOf"][0]["type"] == "string"
    assert schema["anyOf"][1]["type"] == "object"


def test_the_example_of_the_docs_can_be_meant(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "dns.md").read_text(encoding="utf-8")
    section = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])["dns"]
    zones, said = resolved(section, key_file(tmp_path).parent)
    assert said == []
    assert zones.by_name["example.test"].rrsets["@", "CAA"].values == ('0 issue "ca.example.net"',)
