"""What a person calls the things of a topology, and which resources each of them is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.selecting import Things, matching, things_of
from lbkit.machine.resolved import Machines, ResolvedMachine
from lbkit.machine.things import things as of_machines
from lbkit.topology.load import load_data
from lbkit.topology.register import rooms


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    for name in ("debian", "apps", "quiet", "tsig"):
        write_key(tmp_path / f"{name}.key")
    mirror: dict[str, Any] = {"upstream": "rsync://192.0.2.1/x", "master": "store", "nodes": "node"}
    data = {
        "lbkit": 1,
        "name": "web",
        "networks": {"back": {"cidr": "10.80.1.0/24"}},
        "machines": {
            "lb": {"count": 2, "networks": ["back"]},
            "web": {"count": 2, "networks": ["back"], "run": [{"name": "app", "command": ["true"]}]},
            "store": {"networks": ["back"]},
            "node": {"count": 2, "networks": ["back"]},
        },
        "mirrors": {
            "debian": {**mirror, "publish": {"http": True}},
            "apps": {**mirror, "publish": {"http": True}},
            "quiet": {**mirror, "publish": {"module": "quiet", "http": False}},
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "vip": {"network": "back", "address": "10.80.1.10"},
                "frontends": {"http": {"bind": 80, "backend": "web"}},
                "backends": {"web": {"servers": [{"machines": "web", "port": 80}]}},
            }
        },
        "dns": {
            "zones": {
                "example.test": {
                    "servers": ["192.0.2.53"],
                    "tsig": {"name": "lbkit", "secret": {"file": "tsig.key"}},
                    "records": [{"name": "shop", "target": "load_balancers.shop"}],
                }
            }
        },
    }
    return load_data(data, tmp_path)


def things(scope: Scope, *more: Key) -> Things:
    declared = {want.key for room in rooms() for want in room.desired(scope, Host())}
    return things_of(rooms(), scope, {*declared, *more})


def said(things: Things, *patterns: str) -> set[str]:
    return {str(key) for pattern in patterns for name in matching(pattern, things) for key in things[name]}


def test_nouns_are_what_the_language_calls_them(scope: Scope) -> None:
    its = things(scope)
    assert said(its, "network/back") == {"network back"}
    assert said(its, "machine/web-1") == {"machine web-1", "service web-1/app"}
    assert (
        said(its, "machine/web") == said(its, "machine/web-*") == said(its, "machine/web-1", "machine/web-2")
    )
    assert said(its, "machine/node") == {"machine node-1", "machine node-2"}, (
        "what mirrors run there is theirs"
    )
    assert said(its, "load_balancer/shop") == said(its, "load_balancer") == said(its, "haproxy", "vip")
    assert said(its, "load_balancer/shop") == {
        f"{kind} lb-{n}/shop" for kind in ("haproxy", "vip") for n in (1, 2)
    }
    assert said(its, "zone/example.test") == {"rrset example.test shop A"}
    assert said(its, "vip/lb-1/shop") == {"vip lb-1/shop"}
    assert not said(its, "web", "machine/we", "network/", "load_balancer/sho", "mirror/deb")


def test_a_mirror_is_what_its_machines_run_for_it_and_what_serves_all(scope: Scope) -> None:
    its = things(scope)
    rsync = {f"service {machine}/mirror-rsync" for machine in ("store", "node-1", "node-2")}
    http = {"service node-1/mirror-http", "service node-2/mirror-http"}
    for name in ("debian", "apps", "quiet"):
        own = {
            f"service store/mirror-{name}-keeper",
            f"service node-1/mirror-{name}-node",
            f"service node-2/mirror-{name}-node",
        }
        assert said(its, f"mirror/{name}") == own | rsync | (http if name != "quiet" else set())


def test_what_is_declared_no_longer_has_its_name_while_it_stands(scope: Scope) -> None:
    left = [
        Key("network", "old"),
        Key("service", "store/mirror-old-keeper"),
        Key("haproxy", "lb-1/old"),
        Key("machine", "web-9"),
    ]
    its = things(scope, *left, Key("service", "web-9/app"), Key("service", "web-1/mirror-node"))
    assert said(its, "network/old", "load_balancer/old") == {"network old", "haproxy lb-1/old"}
    assert said(its, "mirror/old") == {"service store/mirror-old-keeper", "service store/mirror-rsync"}
    assert said(its, "machine/web-9") == {"machine web-9", "service web-9/app"}
    assert said(its, "mirror") == said(its, "mirror/*")


def test_a_machine_goes_before_a_group_of_its_name() -> None:
    members = {"web-1": "web", "web-1-1": "web-1", "db": "db"}
    machines = Machines(
        {name: ResolvedMachine(name, group, "netns", ()) for name, group in members.items()},
        {"web": ("web-1",), "web-1": ("web-1-1",), "db": ("db",)},
    )
    keys = {Key("machine", name) for name in members} | {Key("spare", "web/1"), Key("presence", "web-1")}
    its = of_machines(machines, keys)
    assert said(its, "machine/web-1") == {"machine web-1", "presence web-1"}
    assert said(its, "machine/web") == {"machine web-1", "presence web-1", "spare web/1"}
    assert said(its, "machine/db") == {"machine db"}


def test_a_name_with_a_star_in_it_means_itself() -> None:
    names = ["rrset/example.test * A", "rrset/example.test a A"]
    assert matching("rrset/example.test * A", names) == {"rrset/example.test * A"}
    assert matching("rrset/example.test [*] A", names) == {"rrset/example.test * A"}
    assert matching("rrset/*", names) == set(names)
