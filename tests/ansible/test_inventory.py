"""The inventory plugin: a topology's machines as hosts, by ansible-inventory as people run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ansible.conftest import ROOT, surroundings

GOLDEN = Path(__file__).parent / "golden"
PLUGIN = {"plugin": "lbkit.core.topology", "source": "web.yml"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example, and the key that it names."""
    place = tmp_path / "inventory"
    shutil.copytree(ROOT / "examples", place, ignore=shutil.ignore_patterns("*.key"))
    (place / "tsig.key").write_text("c2VjcmV0\n")
    (place / "tsig.key").chmod(0o600)
    return place


def written(folder: Path, name: str = "web.lbkit.yml", **options: Any) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(PLUGIN | options))
    return path


def asked(folder: Path, *words: str | Path, ok: bool = True) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), *words],
        cwd=ROOT, env=surroundings(folder), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ok == (done.returncode == 0 and "[WARNING]" not in done.stderr), done.stderr
    return done.stdout if ok else done.stderr


def _text(data: dict[str, Any]) -> Any:
    """ansible-core 2.19 shows so what it will not take for a template."""
    return data["__ansible_unsafe"] if set(data) == {"__ansible_unsafe"} else data


def listed(folder: Path, *sources: Path) -> dict[str, Any]:
    words = [word for source in sources for word in ("-i", source)]
    data: dict[str, Any] = json.loads(asked(folder, *words, "--list"), object_hook=_text)
    data["_meta"].pop("profile", None)  # ansible-core 2.19 has it, older ones have not
    return data


def test_the_example_as_a_graph(folder: Path) -> None:
    graph = asked(folder, "-i", written(folder), "--graph")
    assert graph == (GOLDEN / "web.graph").read_text()


def test_the_example_with_all_variables(folder: Path) -> None:
    data = listed(folder, written(folder))
    for variables in data["_meta"]["hostvars"].values():
        assert variables.pop("ansible_python_interpreter") == sys.executable
    assert data == json.loads((GOLDEN / "web.json").read_text())


def test_groups_and_variables_of_ones_own(folder: Path) -> None:
    path = written(
        folder,
        compose={"back": "lbkit_addresses.back[0]"},
        groups={"outside": "'front' in lbkit_addresses"},
        keyed_groups=[{"key": "lbkit_group", "prefix": "role"}],
    )
    data = listed(folder, path)
    assert data["outside"]["hosts"] == ["lb-1", "lb-2", "ns"]
    assert data["role_web"]["hosts"] == ["web-1", "web-2", "web-3"]
    variables = data["_meta"]["hostvars"]["web-1"]
    assert variables["back"] == variables["lbkit_addresses"]["back"][0]
    strict = written(folder, strict=True, compose={"back": "lbkit_addresses.back[0]"})
    assert "back" in asked(folder, "-i", strict, "--list", ok=False)


def test_two_topologies_in_one_inventory(folder: Path) -> None:
    text = (folder / "web.yml").read_text()
    (folder / "other.yml").write_text(text.replace("\nname: web\n", "\nname: other\n"))
    web = written(folder)
    other = written(folder, "other.lbkit.yml", source="other.yml")
    refused = asked(folder, "-i", web, "-i", other, "--list", ok=False)
    assert "hostnames: full" in refused
    other = written(folder, "other.lbkit.yml", source="other.yml", hostnames="full")
    data = listed(folder, web, other)
    assert data["lb"]["hosts"] == ["lb-1", "lb-2", "other.lb-1", "other.lb-2"]
    assert data["lbkit_topology_other"]["hosts"] == [
        f"other.{member}" for member in data["lbkit_topology_web"]["hosts"]
    ]
    variables = data["_meta"]["hostvars"]["other.lb-1"]
    assert (variables["lbkit_topology"], variables["lbkit_member"]) == ("other", "lb-1")


def test_every_mistake_of_the_topology_is_told(folder: Path) -> None:
    text = (folder / "web.yml").read_text()
    (folder / "web.yml").write_text(text.replace("networks: [back]", "networks: [bak]") + "nonsense: 1\n")
    told = asked(folder, "-i", written(folder), "--list", ok=False)
    assert "web.yml:" in told
    assert "bak" in told
    assert "nonsense" in told


@pytest.mark.parametrize("source", ["missing.yml", "/no/such/file"])
def test_a_topology_that_is_not_there(folder: Path, source: str) -> None:
    assert Path(source).name in asked(folder, "-i", written(folder, source=source), "--list", ok=False)


def test_a_name_that_is_not_this_plugins(folder: Path) -> None:
    asked(folder, "-i", written(folder, "web.inventory.yml"), "--list", ok=False)


def test_names_that_ansible_would_not_take(folder: Path) -> None:
    document = {
        "lbkit": 1,
        "name": "a-b",
        "networks": {"a-b": {"cidr": "10.80.0.0/24"}},
        "machines": {
            name: {"count": 1, "networks": ["a-b"]} for name in ("all", "1st", "one-two", "localhost")
        },
    }
    (folder / "web.yml").write_text(yaml.safe_dump(document))
    data = listed(folder, written(folder))
    groups = {name: group["hosts"] for name, group in data.items() if "hosts" in group}
    assert groups["lbkit_group_all"] == ["all-1"]
    assert groups["lbkit_group_1st"] == ["1st-1"]
    assert groups["one_two"] == ["one-two-1"]
    assert groups["lbkit_group_localhost"] == ["localhost-1"]
    assert len(groups["lbkit_net_a_b"]) == len(groups["lbkit_topology_a_b"]) == 4


def test_the_library_is_named_where_it_is_missing(folder: Path) -> None:
    without = (
        "import sys; sys.modules['lbkit'] = None; from ansible.cli.inventory import main; main(sys.argv)"
    )
    done = subprocess.run(
        [sys.executable, "-c", without, "-i", written(folder), "--list"],
        cwd=ROOT, env=surroundings(folder), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "lbkit-iac" in done.stderr


def test_machines_of_mirrors_have_groups(folder: Path) -> None:
    (folder / "archive.key").write_text("c2VjcmV0" * 8 + "\n")
    (folder / "archive.key").chmod(0o600)
    data = listed(folder, written(folder, "mirrors.lbkit.yml", source="mirrors.yml"))
    nodes = ["mirror-1", "mirror-2", "mirror-3"]
    assert data["lbkit_mirror_masters"]["hosts"] == ["store"]
    assert data["lbkit_mirror_nodes"]["hosts"] == nodes
    assert sorted(data["lbkit_mirror_archive"]["hosts"]) == [*nodes, "store"]
