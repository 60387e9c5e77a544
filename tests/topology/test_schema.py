"""The JSON Schema says what the loader takes: editors complete by it, and must not call good things wrong."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from lbkit.base.problems import InvalidDocument
from lbkit.dns.keygen import write_key
from lbkit.topology import register
from lbkit.topology.load import load_data, load_file
from lbkit.topology.schema import json_schema

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema)


def test_it_is_a_schema_that_says_who_it_is(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "urn:lbkit:topology:1"
    assert set(schema["properties"]) == {"lbkit", "name", *(room.section for room in register.rooms())}
    assert json.loads(json.dumps(schema)) == schema
    assert json_schema() == schema


def parts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


def test_every_object_is_closed_and_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    for part in parts(schema):
        if part.get("type") == "object":
            assert "additionalProperties" in part, part
        if "$ref" in part:
            name = part["$ref"].removeprefix("#/$defs/")
            assert name in schema["$defs"]
            assert name.split(".")[0] in {room.name for room in register.rooms()}


def test_what_people_hover_over_is_told(schema: dict[str, Any]) -> None:
    for name, section in schema["properties"].items():
        assert section.get("title"), name
    for name in ("network.Network", "machine.Group", "machine.Service"):
        assert schema["$defs"][name]["description"]


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_good_to_both(path: Path, validator: Draft202012Validator, tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns("*.key"))
    for key in ("tsig.key", "archive.key"):  # a checkout has none: everyone makes their own
        write_key(folder / key)
    assert not list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert load_file(folder / path.name).name


NETWORKS = {"front": {"cidr": "10.80.0.0/24"}, "back": {"cidr": ["10.80.1.0/24", "fd00:80::/64"]}}
GROUP = {"networks": "front"}


def document(**sections: Any) -> dict[str, Any]:
    return {"lbkit": 1, "name": "web", "networks": NETWORKS, **sections}


GOOD = [
    {"lbkit": 1, "name": "web"},
    document(**{"x-anything": [1, {"a": None}]}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "gateway": "10.0.0.9", "nat": True, "bridge": "br0.x", "mtu": 9000}}),
    document(networks={"a": {"cidr": ["10.0.0.0/24", "fd00::/64"], "gateway": ["10.0.0.9", "fd00::9"]}}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "gateway": False}}),
    document(machines={"web": GROUP, "db": {"networks": ["front", "back"], "count": 3, "gateway": "front"}}),
    document(machines={"web": {"networks": {"front": None, "back": {}}, "gateway": False, "count": None}}),
    document(machines={"web": {"networks": {"front": {"addresses": "10.80.0.9"}}, "driver": "netns"}}),
    document(machines={"web": {**GROUP, "routes": [{"to": "10.0.0.0/8", "via": "10.80.0.1"}]}}),
    document(machines={"web": {**GROUP, "run": [{
        "name": "app", "command": ["app", 80, 1.5], "environment": {"PORT": 80}, "check": ["true"], "reload": "HUP",
        "user": "www-data", "ready": {"port": 80, "timeout": 5}, "stop_timeout": 2.5,
        "files": {"etc/app.conf": {"content": "x", "mode": "0640", "once": True, "secret": True}},
    }, {"name": "other", "command": ["x"], "reload": ["app", "reload"]}]}}),
    document(machines={"lb": {"networks": "front"}}, load_balancers={"shop": {
        "machines": "lb", "frontends": {"http": {"bind": 80, "backend": "web"}},
        "backends": {"web": {"servers": [{"name": "a", "address": "192.0.2.7", "port": 80}],
                             "health_check": {"interval": "500ms", "timeout": 0.2}}},
    }}),
    document(machines={"lb": {"networks": "front"}}, load_balancers={"shop": {
        "machines": "lb", "vip": {"network": "front", "address": "10.80.0.10"},
        "frontends": {"http": {"bind": ["10.80.0.10:80", {"port": 81}], "backend": "web"}},
        "backends": {"web": {"servers": [{"machines": "lb", "port": 80}], "health_check": False}},
        "timeouts": {"connect": "2s", "client": 30},
    }}),
]  # fmt: skip

BAD = [
    [],
    {},
    {"lbkit": 2, "name": "web"},
    {"lbkit": 1, "name": "Web"},
    document(netwroks={}),
    document(networks=None),
    document(networks={"A": {"cidr": "10.0.0.0/24"}}),
    document(networks={"a": {}}),
    document(networks={"a": {"cidr": "10.0.0.0"}}),
    document(networks={"a": {"cidr": []}}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "cdir": 1}}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "mtu": 10}}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "mtu": "big"}}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "nat": "maybe"}}),
    document(networks={"a": {"cidr": "10.0.0.0/24", "bridge": "much-too-long-for-a-link"}}),
    document(machines={"web": {}}),
    document(machines={"web": {"networks": 7}}),
    document(machines={"web": {**GROUP, "count": "three"}}),
    document(machines={"web": {**GROUP, "count": 5000}}),
    document(machines={"web": {**GROUP, "driver": "libvrit"}}),
    document(machines={"web": {**GROUP, "gateway": True}}),
    document(machines={"web": {**GROUP, "run": [{"name": "app"}]}}),
    document(machines={"web": {**GROUP, "run": [{"name": "app", "command": "sleep 10"}]}}),
    document(machines={"web": {**GROUP, "run": [{"name": "app", "command": []}]}}),
    document(machines={"web": {**GROUP, "run": [{"name": "a", "command": ["a"], "reload": "HPU"}]}}),
    document(machines={"web": {**GROUP, "run": [{"name": "a", "command": ["a"], "files": {"x": {"content": "x", "mode": 420}}}]}}),
    document(machines={"web": {**GROUP, "routes": [{"to": "10.0.0.0/8"}]}}),
    document(load_balancers={"shop": {"machines": "lb"}}),
    document(dns={"zones": {"example.test": {"records": []}}}),
]  # fmt: skip


@pytest.mark.parametrize("data", GOOD)
def test_both_take_it(data: dict[str, Any], validator: Draft202012Validator) -> None:
    assert not list(validator.iter_errors(data))
    load_data(data, ROOT)


@pytest.mark.parametrize("data", BAD)
def test_both_refuse_it(data: Any, validator: Draft202012Validator) -> None:
    assert not validator.is_valid(data)
    with pytest.raises(InvalidDocument):
        load_data(data, ROOT)


def test_the_reference_tells_every_key(schema: dict[str, Any]) -> None:
    reference = (ROOT / "docs" / "topology.md").read_text(encoding="utf-8")
    for key in schema["properties"]:
        assert f"| `{key}` |" in reference
    for name, definition in schema["$defs"].items():
        if name.startswith(("network.", "machine.")):
            for key in definition["properties"]:
                assert f"`{key}`" in reference, f"{name}.{key}"


def test_what_the_reference_shows_is_good(validator: Draft202012Validator) -> None:
    """Every block of YAML in it, as a document of its own or as a part of one."""
    reference = (ROOT / "docs" / "topology.md").read_text(encoding="utf-8")
    blocks = [
        yaml.safe_load(textwrap.dedent(block))
        for block in re.findall(r"```yaml\n(.*?)```", reference, re.DOTALL)
    ]
    assert len(blocks) >= 5
    for block in filter(None, blocks):
        sections = {"machines": {"web": {"networks": "front", **block}}} if "run" in block else block
        whole = {"lbkit": 1, "name": "web", **sections}
        assert not list(validator.iter_errors(whole)), whole
