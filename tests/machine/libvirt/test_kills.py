"""`kill -9` of an apply before any single thing that it does to libvirt or a guest: the next one converges, nothing is stray.

Real domains, volumes and QEMUs; guests are shadows of them (shadows.py).
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.libvirt.small import NOTHING, World, daemon, gone, hypervisor, lone, world

__all__ = ["daemon", "hypervisor", "lone", "world"]

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[3]
PARTS = 2  # so that the cores share the work


class Dying:
    """Applies and destroys that die before one thing that they do."""

    def __init__(self, world: World) -> None:
        self._world = world
        arguments = [str(world.host.run_dir), str(world.host.run_dir / "shadows")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.machine.libvirt.dying", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, what: str, number: int) -> str:
        """Before what it was killed, or "" where it came to its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self._world.file} {what} {number}\n")
        self.process.stdin.flush()
        word, _, before = self.process.stdout.readline().strip().partition(" ")
        assert word in {"killed", "over"}, f"{what} before {number}: {word} {before}"
        return before


@pytest.fixture
def dying(world: World) -> Iterator[Dying]:
    made = Dying(world)
    yield made
    made.process.communicate()


def converges(world: World, after: str) -> None:
    world.apply()
    assert world.plan() == [], f"after a kill before {after}"
    assert world.standing() == world.one(world.generation()), f"after a kill before {after}"
    assert world.plugged == [world.domain(world.generation())], f"after a kill before {after}"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_first_apply(world: World, dying: Dying, part: int) -> None:
    seen = set()
    for number in itertools.count(part, PARTS):
        before = dying.run("apply", number)
        converges(world, f"{before} ({number})")
        seen.add(before)
        if not before:
            break
        world.destroy()
        assert gone(world.standing) == NOTHING, f"after a kill before {before}"
    assert number > 7, seen


@pytest.mark.parametrize("part", range(PARTS))
def test_a_replacement(world: World, dying: Dying, part: int) -> None:
    world.apply()
    for number in itertools.count(part, PARTS):
        world.declare(cpus=1 + (number // PARTS + 1) % 2)
        before = dying.run("apply", number)
        assert len(world.plugged) <= 1, f"two have one address after a kill before {before} ({number})"
        converges(world, f"{before} ({number})")
        if not before:
            break
    assert number > 11, "there is more to a replacement than that"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_destroy(world: World, dying: Dying, part: int) -> None:
    for number in itertools.count(part, PARTS):
        world.apply()
        before = dying.run("destroy", number)
        world.destroy()
        assert gone(world.standing) == NOTHING, f"after a kill before {before} ({number})"
        assert "lbkit" not in world.virsh("pool-list", "--all")
        if not before:
            break
    assert number > 6, "there is more to a destroy than that"
