"""The example of the README, in a folder of a test's own, with keys of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from lbkit.dns.keygen import write_key

EXAMPLES = Path(__file__).parents[1] / "examples"


def copied(folder: Path, topology: str = "web", *, example: str = "web") -> Path:
    """The example's file below `folder`, with all that stands beside it, new keys, and a name of its own.

    Processes are marked with the topology's name: tests that share a process namespace need names of their own.
    """
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.key"))
    for key in ("tsig.key", "archive.key"):
        write_key(folder / key)
    file = folder / f"{example}.yml"
    file.write_text(file.read_text().replace(f"name: {example}\n", f"name: {topology}\n", 1))
    return file
