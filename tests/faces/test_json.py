"""Every document that --json prints keeps to the schema that is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import lbkit as package
from lbkit.engine.change import Action, Impact
from lbkit.engine.resource import Key
from lbkit.engine.view import Health
from tests.faces.conftest import Lbkit
from tests.faces.toy import ToyRoom

FILE = Path(package.__file__).parents[1] / "docs" / "plan.schema.json"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["plan"], "lbkit.plan/1"),
        (["plan", "--destroy"], "lbkit.plan/1"),
        (["apply", "--yes"], "lbkit.result/1"),
        (["destroy", "--yes"], "lbkit.result/1"),
        (["apply"], "lbkit.error/1"),
        (["status"], "lbkit.status/1"),
        (["explain", "shop/web/web-1"], "lbkit.explain/1"),
        (["explain", "shop/web/web-9"], "lbkit.error/1"),
        (["hold", "shop/web/web-1", "--reason", "disk"], "lbkit.hold/1"),
        (["hold", "shop/web/web-1", "--reason", "disk", "--until", "2h"], "lbkit.hold/1"),
        (["hold", "shop/web/web-1"], "lbkit.error/1"),
        (["release", "shop/web/web-1"], "lbkit.hold/1"),
        (["hold", "--list"], "lbkit.holds/1"),
        (["top", "--interval", "100ms"], "lbkit.top/1"),
        (["top", "--interval", "100ms", "--count", "2", "--each"], "lbkit.top/1"),
        (["validate"], "lbkit.validate/1"),
        (["graph"], "lbkit.graph/1"),
        (["graph", "--declared", "--format", "mermaid"], "lbkit.graph/1"),
        (["doctor"], "lbkit.doctor/1"),
    ],
)
def test_every_document_is_as_published(
    lbkit: Lbkit, schema: dict[str, Any], words: list[str], name: str
) -> None:
    told = lbkit(*words, "--json")
    data = json.loads(told.out)
    assert data["schema"] == name
    jsonschema.validate(data, schema)
    assert not told.err
    if name == "lbkit.error/1":
        assert data["exit_code"] == told.code


def test_a_failed_apply_is_as_published(lbkit: Lbkit, room: ToyRoom, schema: dict[str, Any]) -> None:
    room.fail_on = Key("thing", "door")
    jsonschema.validate(json.loads(lbkit("apply", "--yes", "--json").out), schema)


def test_a_key_made_is_as_published(lbkit: Lbkit, tmp_path: Path, schema: dict[str, Any]) -> None:
    told = lbkit("keygen", str(tmp_path / "tsig.key"), "--json")
    jsonschema.validate(json.loads(told.out), schema)
    assert (tmp_path / "tsig.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_never_shows(lbkit: Lbkit, room: ToyRoom) -> None:
    for words in (["plan", "--json"], ["plan", "--detail"], ["apply", "--yes", "--json"]):
        told = lbkit(*words)
        assert "hunter2" not in told.out + told.err


def test_the_schema_knows_every_action_impact_and_health(schema: dict[str, Any]) -> None:
    parts = schema["$defs"]
    assert set(parts["action"]["enum"]) == {str(action) for action in Action}
    assert set(parts["impact"]["enum"]) == {str(impact) for impact in Impact}
    health = parts["status"]["properties"]["status"]["items"]["properties"]["health"]
    assert set(health["enum"]) == {str(word) for word in Health}


def test_the_documents_name_their_versions() -> None:
    text = (FILE.parent / "plan-schema.md").read_text()
    named = {part["properties"]["schema"]["const"] for part in json.loads(FILE.read_text())["$defs"].values()
             if "schema" in part.get("properties", {})}  # fmt: skip
    assert {name for name in named if f"`{name}`" in text} == named
