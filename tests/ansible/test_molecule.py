"""The scenarios of molecule/ as they are delivered, each in a sandbox of its own: all their steps pass, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ansible.conftest import ROOT
from tests.ansible.leaving import LEFT

pytestmark = pytest.mark.sandbox

LEAVING = Path(__file__).with_name("leaving.py")
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
VIRTUAL = {"machine"}  # these boot guests


def each(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.xdist_group("vm") if name in VIRTUAL else ())


def ran(*words: str | Path, libvirt: bool = False) -> tuple[int, str]:
    """In a sandbox inside the suite's: its processes and its /run are nobody else's. Exit code, and all that was said."""
    programs = Path(sys.executable).parent
    environment = {
        "ANSIBLE_HOME": "/run/ansible",
        "NO_COLOR": "1",
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [programs / "lbkit", "sandbox", *(["--libvirt"] if libvirt else []), "--", sys.executable, LEAVING, *words],
        cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", [each(name) for name in SCENARIOS])
def test_a_scenario_passes_and_leaves_nothing(name: str) -> None:
    code, told = ran(ROOT / "molecule" / name, "molecule", "test", "-s", name, libvirt=name in VIRTUAL)
    assert code == 0, told[-8000:]
    for step in ("create", "converge", "idempotence", "verify", "destroy"):
        assert f"{name} > {step}: Executed: Successful" in told, told


def test_what_is_left_is_seen() -> None:
    """By what watches the scenarios: else they would leave nothing only because nobody sees it."""
    leave = (
        "ip netns add n; ip link add bridge0 type bridge; nft add table ip t; mkdir /run/d; sleep 600 & echo"
    )
    code, told = ran(ROOT / "molecule", "sh", "-c", leave)
    assert code == LEFT, told
    for each in ("file /run/netns/n", "file /run/d", "link bridge0", "rules table ip t", "process"):
        assert f"left: {each}" in told
