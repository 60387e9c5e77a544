"""Certificates through a whole apply: what the plan says, what clients meet, where keys are and are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.engine.change import Change, Impact
from tests.haproxy.tls.authority import Authority, Issued
from tests.haproxy.tls.clients import handshake, trusting
from tests.haproxy.world import VIP, World, until

pytestmark = pytest.mark.sandbox

ROOT = Authority()


@pytest.fixture
def secured(world: World, tmp_path: Path) -> World:
    """The world's load balancer with TLS on port 443, and certificates for `a` and `aa.example.org`."""
    for name in ("a", "aa"):
        ROOT.issue(f"{name}.example.org").write(tmp_path / f"{name}.pem")
    world.shop["certificates"] = {name: {"file": str(tmp_path / f"{name}.pem")} for name in ("a", "aa")}
    world.shop["frontends"]["https"] = {
        "bind": {"port": 443, "tls": {"certificates": ["a", "aa"]}},
        "backend": "web",
    }
    return world


def served(name: str) -> int:
    return handshake(443, name, trusting(ROOT, check_name=False), at=VIP).serial


def changes(world: World) -> list[Change]:
    return [change for change in world.plan().changes if change.key.kind == "haproxy"]


def pid(world: World, member: str) -> int:
    with world.haproxy(member).runtime() as runtime:
        return runtime.info().pid


def keys_of(issued: Issued) -> list[str]:
    return [line for line in issued.key_pem.decode().splitlines() if "-----" not in line]


def test_certificates_come_go_and_are_renewed_in_the_running_process(secured: World, tmp_path: Path) -> None:
    a = ROOT.issue("a.example.org")
    a.write(tmp_path / "a.pem")
    secured.apply()
    assert not secured.plan()
    assert served("a.example.org") == a.serial
    before = [pid(secured, member) for member in ("lb-1", "lb-2")]
    renewed, b = ROOT.issue("a.example.org"), ROOT.issue("b.example.org", kind="RSA")
    renewed.write(tmp_path / "a.pem")
    b.write(tmp_path / "b.pem")
    secured.shop["certificates"]["b"] = {"file": str(tmp_path / "b.pem")}
    bind: dict[str, Any] = secured.shop["frontends"]["https"]["bind"]
    bind["tls"]["certificates"] = ["a", "aa", "b"]
    planned = changes(secured)
    assert {change.impact for change in planned} <= {Impact.NONE, Impact.HITLESS}, planned[0].reason
    told = json.dumps(secured.plan().as_data())
    proof = lbkit.apply(secured.scope, secured.host, prove=True).proof
    assert proof is not None
    assert {each.target.split()[-1] for each in proof.targets if each.sent} == {f"{VIP}:80", f"{VIP}:443"}
    assert (proof.failed, proof.cut) == (0, 0)
    assert not secured.plan()
    assert [served("a.example.org"), served("b.example.org")] == [renewed.serial, b.serial]
    assert [pid(secured, member) for member in ("lb-1", "lb-2")] == before
    # what stands on disk is what runs
    for member in ("lb-1", "lb-2"):
        secured.kill_haproxy(member)
    until(lambda: changes(secured), "they are gone")
    secured.apply()
    assert [served("a.example.org"), served("b.example.org")] == [renewed.serial, b.serial]
    bind["tls"]["certificates"] = ["a", "aa"]
    secured.apply()
    assert not secured.plan()
    assert served("b.example.org") == renewed.serial
    _only_in_files_of_their_own(secured, told, [a, renewed, b])


def _only_in_files_of_their_own(world: World, told: str, issued: list[Issued]) -> None:
    status = json.dumps([row.as_data() for row in world.status().values()])
    files = {
        path: path.read_text(errors="replace")
        for path in world.host.folder(world.name).rglob("*")
        if path.is_file()
    }
    for each in issued:
        assert not any(line in told + status for line in keys_of(each))
        holding = [path for path, text in files.items() if any(line in text for line in keys_of(each))]
        assert all(path.parent.name == "certs" and path.stat().st_mode & 0o777 == 0o600 for path in holding)


def test_an_expired_certificate_is_noted_and_the_plan_goes_on(secured: World, tmp_path: Path) -> None:
    ROOT.issue("a.example.org", days=-1).write(tmp_path / "a.pem")
    plan = secured.plan()
    assert plan
    assert any("certificate a (a.example.org) expired on" in note for note in plan.notes)
    secured.apply()
    rows = secured.status()
    assert list(rows["haproxy lb-1/shop"].facts["certificates"]) == ["a", "aa"]
    found = lbkit.explain(secured.scope, "shop", secured.host)
    assert any(each.good is False and "certificate a expired" in each.what for each in found)
