"""`kill -9` at any single change of an apply or a destroy: the next one converges and leaves nothing stray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = 4  # so that the cores share the work


@pytest.mark.sandbox
@pytest.mark.parametrize("first", range(PARTS))
@pytest.mark.parametrize("what", ["apply", "destroy"])
def test_the_next_apply_converges_after_a_kill_at_every_change(what: str, first: int) -> None:
    script = Path(__file__).with_name("every_change.py")
    example = ROOT / "examples" / "web.yml"
    command = [
        sys.executable,
        "-m",
        "lbkit",
        "sandbox",
        "--",
        sys.executable,
        script,
        example,
        what,
        first,
        PARTS,
    ]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kills = int(done.stdout.split()[0])
    assert kills > 5, done.stdout
