"""The section `mirrors`: what machines are given to run, and every mistake at its place."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.problems import InvalidDocument
from lbkit.base.secrets import Secret
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.machine.resolved import Machines, ResolvedService
from lbkit.mirror.resolved import Mirrors
from lbkit.topology.load import load_data

GOOD: dict[str, Any] = {
    "lbkit": 1,
    "name": "m",
    "networks": {"front": {"cidr": "10.9.0.0/24"}, "back": {"cidr": ["10.9.1.0/24", "fd00:9::/64"]}},
    "machines": {
        "store": {"networks": ["back"]},
        "mirror": {"count": 3, "networks": ["front", "back"]},
        "far": {"networks": ["front"]},
    },
    "mirrors": {"debian": {"upstream": "rsync://up.example/debian", "master": "store", "nodes": "mirror"}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("debian.key", "ubuntu.key", "password"):
        (tmp_path / name).write_bytes(name.encode() * 8)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def document(**mirror: Any) -> dict[str, Any]:
    found = deepcopy(GOOD)
    found["mirrors"]["debian"] |= mirror
    return found


def services(scope: Scope, machine: str) -> dict[str, ResolvedService]:
    return {each.name: each for each in scope.of("machine", Machines).by_name[machine].services}


def config(scope: Scope, machine: str, service: str) -> Any:
    content = services(scope, machine)[service].files["config.json"].content
    assert isinstance(content, bytes)
    return json.loads(content)


def test_machines_are_given_what_they_are_to_run(folder: Path) -> None:
    scope = load_data(document(), folder)
    assert [*services(scope, "store")] == ["mirror-debian-keeper", "mirror-rsync"]
    assert [*services(scope, "mirror-2")] == ["mirror-debian-node", "mirror-rsync", "mirror-http"]
    assert [*services(scope, "far")] == []
    keeper, node = (
        config(scope, "store", "mirror-debian-keeper"),
        config(scope, "mirror-1", "mirror-debian-node"),
    )
    assert keeper["policy"] == {"quorum": 2, "max_lag": 1, "floor": 1, "contact": 5.0, "fan_out": 4}
    assert keeper["upstream"]["host"] == "up.example"
    assert keeper["upstream"]["module"] == "debian"
    assert keeper["nodes"]["mirror-1"] == [node["listen"][0][0], node["listen"][0][1], "keys/mirror-1"]
    assert "adopt" not in keeper
    assert sorted(node["sources"]) == ["", "mirror-2", "mirror-3"]
    assert node["sources"][""]["module"] == "lbkit-debian-keeper"
    assert node["sources"]["mirror-2"]["module"] == "lbkit-debian-node"
    assert len(node["check"]) == 3  # its addresses on both networks


def test_both_ends_have_one_key_and_nobody_sees_it(folder: Path) -> None:
    scope = load_data(document(), folder)
    keeper = services(scope, "store")["mirror-debian-keeper"].files
    for number in (1, 2, 3):
        node = services(scope, f"mirror-{number}")["mirror-debian-node"].files
        assert node["keys.keeper"].content == keeper[f"keys/mirror-{number}"].content
        password = services(scope, "store")["mirror-rsync"].files[f"passwords/debian.mirror-{number}"]
        assert node["password"].content == password.content
    secrets = [
        file
        for machine in ("store", "mirror-1")
        for service in services(scope, machine).values()
        for path, file in service.files.items()
        if path not in {"mirror.pyz", "config.json"}
    ]
    assert all(isinstance(file.content, Secret) and file.mode == 0o600 for file in secrets)
    different = {keeper[name].content for name in ("keys/mirror-1", "keys/mirror-2", "keys.push", "password")}
    assert len(different) == 4


def test_what_an_old_master_knew_opens_nothing_at_its_successor(folder: Path) -> None:
    before = services(load_data(document(), folder), "mirror-1")["mirror-debian-node"].files
    after = services(load_data(document(master="mirror-2"), folder), "mirror-1")["mirror-debian-node"].files
    for name in ("keys.keeper", "keys.neighbour", "password"):
        assert before[name].content != after[name].content


def test_a_master_that_is_a_node_goes_on_from_what_the_node_has(folder: Path) -> None:
    scope = load_data(document(master="mirror-2"), folder)
    assert config(scope, "mirror-2", "mirror-debian-keeper")["adopt"] == "../mirror-debian-node/data/store"
    modules = {each["inner"]: each for each in config(scope, "mirror-2", "mirror-rsync")["modules"]}
    assert sorted(modules) == ["lbkit-debian-keeper", "lbkit-debian-node"]
    assert modules["lbkit-debian-keeper"]["store"] == "../mirror-debian-keeper/data/store"


def test_two_mirrors_share_the_servers_of_their_machines(folder: Path) -> None:
    found = document(publish={"module": "debian"})
    found["mirrors"]["ubuntu"] = {**GOOD["mirrors"]["debian"], "path": "/srv/mirrors"}
    scope = load_data(found, folder)
    assert [*services(scope, "mirror-1")] == [
        "mirror-debian-node",
        "mirror-ubuntu-node",
        "mirror-rsync",
        "mirror-http",
    ]
    sites = config(scope, "mirror-1", "mirror-http")["sites"]
    assert [(each["name"], each["store"]) for each in sites] == [
        ("debian", "../mirror-debian-node/data/store"),
        ("ubuntu", "/srv/mirrors/mirror-1/ubuntu/node/store"),
    ]
    modules = config(scope, "mirror-1", "mirror-rsync")["modules"]
    assert [each["public"] for each in modules] == ["debian", ""]


def test_load_balancers_find_its_nodes(folder: Path) -> None:
    scope = load_data(document(publish={"http": {"port": 8080}}), folder)
    mirror = scope.of("mirror", Mirrors).by_name["debian"]
    endpoints = scope.book.endpoints("mirrors.debian") or ()
    assert [each.name for each in endpoints] == ["mirror-1", "mirror-2", "mirror-3"]
    assert endpoints[0].ports == {"http": 8080, "check": mirror.ports.check}
    assert Key("service", "mirror-1/mirror-http") in endpoints[0].keys
    assert sorted(endpoints[0].addresses) == ["back", "front"]


def test_what_is_declared_reaches_the_keeper(folder: Path) -> None:
    scope = load_data(
        document(
            schedule={"every": "6h", "window": "01:00-07:00", "jitter": "10m", "zone": "Europe/Berlin"},
            stages=[{"include": "pool/"}, {"include": "/", "contents": True}],
            guard={"delete": "5%", "shrink": "20%", "min_files": 1000},
            limits={"bandwidth": "50MiB/s", "connections": 2, "timeout": "30m"},
            freshness={"max_lag": 0, "floor": 2, "quorum": 3},
            upstream={"url": "rsync://me@up.example/debian", "password": {"file": "password"}},
            exclude=["*.iso"],
            markers=["Archive-Update-in-Progress-*"],
        ),
        folder,
    )
    found = config(scope, "store", "mirror-debian-keeper")
    assert found["schedule"]["every"] == 21600
    assert found["schedule"]["window"] == ["01:00", "07:00"]
    assert found["stages"] == [{"folder": "pool", "contents": False}, {"folder": "", "contents": True}]
    assert found["guard"] == {"delete": 0.05, "shrink": 0.2, "min_files": 1000}
    assert (found["bandwidth"], found["silence"]) == (50 << 20, 1800)
    assert found["policy"] == {"quorum": 3, "max_lag": 0, "floor": 2, "contact": 5.0, "fan_out": 2}
    assert found["upstream"]["password_file"] == "upstream.password"
    assert (found["exclude"], found["markers"]) == (["*.iso"], ["Archive-Update-in-Progress-*"])
    password = services(scope, "store")["mirror-debian-keeper"].files["upstream.password"].content
    assert isinstance(password, Secret)
    assert password.reveal() == b"password" * 8


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"master": "stor"}, "mirrors.debian.master", "did you mean 'store'"),
    ({"master": "mirror"}, "mirrors.debian.master", "one machine"),
    ({"nodes": "mirrors"}, "mirrors.debian.nodes", "did you mean 'mirror'"),
    ({"master": "far", "nodes": "store"}, "mirrors.debian", "a network that its master and all its nodes"),
    ({"network": "front"}, "mirrors.debian.network", "a network that its master"),
    ({"key": {"file": "none.key"}}, "mirrors.debian.key.file", "none.key"),
    ({"upstream": "gopher://x/y"}, "mirrors.debian.upstream.url", ""),
    ({"upstream": "rsync://-e sh/y"}, "mirrors.debian.upstream.url", ""),
    ({"upstream": "rsync://up.example"}, "mirrors.debian.upstream.url", "module"),
    ({"upstream": "https://up.example/x/"}, "mirrors.debian.upstream", "digests"),
    ({"upstream": "ssh://me@up.example/srv/x"}, "mirrors.debian.upstream", "known_hosts"),
    (
        {"upstream": {"url": "/srv/x", "password": {"file": "password"}}},
        "mirrors.debian.upstream",
        "password",
    ),
    ({"stages": [{"include": "../x/"}]}, "mirrors.debian.stages[0].include", "a folder such as pool/"),
    ({"stages": [{"include": "a/"}, {"include": "a/"}]}, "mirrors.debian.stages", "each folder once"),
    ({"freshness": {"quorum": 4}}, "mirrors.debian.freshness.quorum", "at most its 3 nodes"),
    ({"guard": {"delete": 5}}, "mirrors.debian.guard.delete", "a part such as 5%"),
    ({"guard": {"delete": "101%"}}, "mirrors.debian.guard.delete", "at most 100%"),
    ({"limits": {"bandwidth": "50MiB"}}, "mirrors.debian.limits.bandwidth", "a rate such as 50MiB/s"),
    ({"schedule": {"window": "01:00-07:00"}}, "mirrors.debian.schedule", "either every or cron"),
    ({"schedule": {"every": "6h", "window": "25:00-07:00"}}, "mirrors.debian.schedule.window", "01:00-07:00"),
    ({"schedule": {"every": "6h", "zone": "Mars/Olympus"}}, "mirrors.debian.schedule.zone", "a time zone"),
    ({"schedule": {"cron": "61 * * * *"}}, "mirrors.debian.schedule.cron", ""),
    ({"path": "srv"}, "mirrors.debian.path", "an absolute path"),
    ({"path": "/srv/../etc"}, "mirrors.debian.path", "without '..'"),
    ({"publish": {"module": "-x"}}, "mirrors.debian.publish.module", "a module's name"),
    ({"publish": {"http": {"port": 873}}}, "mirrors.debian.publish.http.port", "nothing else"),
    ({"exclude": ["- *"]}, "mirrors.debian.exclude[0]", ""),
    ({"exclude": ["a\nb"]}, "mirrors.debian.exclude[0]", "control characters"),
    ({"publish": {"module": "Lbkit-debian-node"}}, "mirrors.debian.publish.module", "between the machines"),
    ({"publish": {"module": "global"}}, "mirrors.debian.publish.module", "which rsync has itself"),
    ({"upstream": "/srv", "path": "/srv/own"}, "mirrors.debian.path", "apart from its upstream"),
    (
        {"upstream": "/srv/store/debian/keeper", "path": "/srv"},
        "mirrors.debian.path",
        "apart from its upstream",
    ),
]


@pytest.mark.parametrize(("change", "place", "words"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_is_told_at_its_place(change: dict[str, Any], place: str, words: str, folder: Path) -> None:
    with pytest.raises(InvalidDocument) as told:
        load_data(document(**change), folder)
    said = str(told.value)
    assert place in said
    assert words in said


def test_two_mirrors_of_one_machine_need_ports_and_modules_of_their_own(folder: Path) -> None:
    found = document(port=7000, publish={"module": "x"})
    found["mirrors"]["ubuntu"] = {**found["mirrors"]["debian"], "port": 7001}
    with pytest.raises(InvalidDocument) as told:
        load_data(found, folder)
    assert "port 7001 of mirror-1 is mirrors.debian's" in str(told.value)
    assert "module x of mirror-1 is mirrors.debian's" in str(told.value)


def test_the_web_server_of_a_machine_has_its_port_alone(folder: Path) -> None:
    """That of all its mirrors: they may share it, and nothing else may have it."""
    found = document(port=7000)
    found["mirrors"]["ubuntu"] = {
        **found["mirrors"]["debian"],
        "port": 7010,
        "publish": {"http": {"port": 7001}},
    }
    with pytest.raises(InvalidDocument, match=r"port 7001 of mirror-1 is mirrors\.debian's"):
        load_data(found, folder)
    found["mirrors"] = dict(reversed(found["mirrors"].items()))
    with pytest.raises(InvalidDocument, match="port 7001 of mirror-1 is the web server's"):
        load_data(found, folder)


def test_a_service_of_a_persons_own_does_not_take_its_names(folder: Path) -> None:
    found = document()
    found["machines"]["store"]["run"] = [{"name": "mirror-x", "command": ["x"]}]
    with pytest.raises(InvalidDocument, match="does not begin with haproxy-"):
        load_data(found, folder)


@pytest.mark.parametrize("content", [b"short", b""])
def test_a_key_must_be_long_enough(content: bytes, folder: Path) -> None:
    (folder / "debian.key").write_bytes(content)
    with pytest.raises(InvalidDocument, match="a secret of 32 bytes or more"):
        load_data(document(), folder)


def test_who_has_no_key_yet_is_told_how_to_make_it(folder: Path) -> None:
    (folder / "debian.key").unlink()
    with pytest.raises(InvalidDocument, match=r"`lbkit keygen .*debian\.key` makes it"):
        load_data(document(), folder)


def test_a_key_for_all_to_read_is_none(folder: Path) -> None:
    (folder / "debian.key").chmod(0o644)
    with pytest.raises(InvalidDocument, match="chmod 600"):
        load_data(document(), folder)
