"""playbooks/mirrors.yml, from a fresh checkout: a second run changes nothing, and what upstream published then is fetched."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.host import Host
from lbkit.machine.handle import machine
from tests.ansible.conftest import ROOT, Play
from tests.machine.world import until

pytestmark = pytest.mark.sandbox


def test_the_example_is_brought_up_and_synced(
    netns: None, play: Play, topology_name: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.key"))
    example = tmp_path / "examples" / "mirrors.yml"
    example.write_text(example.read_text().replace("\nname: mirrors\n", f"\nname: {topology_name}\n"))
    here = {"topology_file": str(example), "topology_example": str(example)}
    made = play("playbooks/mirrors.yml", **here)
    assert made.code == 0, made.text
    again = play("playbooks/mirrors.yml", **here)
    assert again.recap["changed"] == 0, again.text
    scope, host = operate.load(example), Host()
    origin = machine(scope, host, "origin")
    index = origin.folder("archive") / "tree" / "index.json"
    os.kill(origin.running()["archive"].pid, signal.SIGHUP)
    until(lambda: b'"number": 2,' in (origin.fetch(index) or b""), "the archive has published")
    checked = play("playbooks/mirrors.yml", "--check", **here)
    assert checked.code == 0, checked.text
    assert checked.recap["changed"] == 0
    third = play("playbooks/mirrors.yml", **here)
    assert third.recap["changed"] == 1, third.text
    assert "generation 2 on mirror-1, mirror-2, mirror-3" in third.text
    gone = play("playbooks/teardown.yml", topology_file=str(example))
    assert gone.code == 0, gone.text
