"""`lbkit machine`, and `--replace` of `plan` and `apply`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import lbkit
from lbkit.base.host import Host
from lbkit.faces.cli import main
from lbkit.faces.out import Out

pytestmark = pytest.mark.sandbox


@pytest.fixture
def file(host: Host, topology_name: str, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "web.json"
    app = {"name": "app", "command": ["sleep", "1000"]}
    machines = {"web": {"count": 2, "networks": ["front"], "run": [app]}}
    networks = {"front": {"cidr": "10.80.0.0/24"}}
    path.write_text(
        json.dumps({"lbkit": 1, "name": topology_name, "networks": networks, "machines": machines})
    )
    lbkit.apply(lbkit.load(path), host)
    yield path
    lbkit.destroy(lbkit.load(path), host)


def test_machines_are_stopped_started_and_replaced(
    file: Path, host: Host, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--run-dir", str(host.run_dir)])
        said = capfd.readouterr()
        return code, said.out + said.err

    def left() -> list[str]:
        return [str(change) for change in lbkit.plan(lbkit.load(file), host).changes]

    assert run("machine", "stop", str(file), "web-1", "--plan")[0] == 2
    code, said = run("machine", "stop", str(file), "web-1")
    assert (code, "nobody to ask" in said, left()) == (1, True, [])
    monkeypatch.setattr(Out, "interactive", property(lambda self: not self.json))
    monkeypatch.setattr("builtins.input", lambda: "n")
    assert (run("machine", "stop", str(file), "web-1")[0], left()) == (1, [])

    monkeypatch.setattr("builtins.input", lambda: "y")
    code, said = run("machine", "stop", str(file), "web-1", "--within", "5s")
    assert (code, "web-1 is stopped: 1 change" in said) == (0, True)
    assert left()[0] == "update machine web-1"
    assert "nothing to do" in run("machine", "stop", str(file), "web-1", "--at-once")[1]
    code, said = run("machine", "start", str(file), "web-1", "--yes", "--json")
    assert (code, json.loads(said)["done"][0], left()) == (0, "update machine web-1", [])
    assert run("machine", "start", str(file), "web", "--plan")[0] == 0

    code, said = run("machine", "restart", str(file), "web", "-y", "--json")
    assert sorted(json.loads(said)["done"]) == [
        "restart machine web-1", "restart machine web-2", "restart service web-1/app", "restart service web-2/app",
    ]  # fmt: skip
    assert run("plan", str(file), "--replace", "machine/web-2")[0] == 2
    code, said = run("apply", str(file), "--replace", "machine/web-2", "-y", "--json")
    assert json.loads(said)["done"] == ["replace machine web-2", "create service web-2/app"]
    assert left() == []

    code, said = run("machine", "stop", str(file), "web-3", "-y")
    assert (code, "did you mean" in said) == (64, True)
    assert run("plan", str(file), "--destroy", "--replace", "machine/web-2")[0] == 64
    assert run("machine", "replace", str(file), "web-1", "--at-once")[0] == 64
