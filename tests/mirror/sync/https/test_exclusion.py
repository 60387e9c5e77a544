"""Patterns leave out what rsync leaves out by them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lbkit.mirror.sync.https.exclusion import excluded_by
from tests.mirror.tree.trees import found, lay

PATHS = [
    b"a",
    b"a.iso",
    b"b/a",
    b"b/a.iso",
    b"b/c/a",
    b"b/c/d/e.iso",
    b"c/a",
    b"c/.tmp/x",
    b"x[1]",
    b"-e",
    b"b/xc/d",
    b"q\\w",
]


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "a",
            "/a",
            "*.iso",
            "/*.iso",
            "b/a",
            "/b/a",
            "b/",
            "/b/",
            "c/",
            "b/*",
            "b/**",
            "**/a",
            "b/**/e.iso",
            "b/***",
        ),
        *(
            "c/***",
            "?",
            "b/?",
            "[ab]",
            "[!ab]",
            "[a-c]",
            "x[[]1]",
            "x\\[1\\]",
            "*/c/a",
            ".tmp/",
            "-e",
            "**",
            "*",
            "/*/a",
            "q\\\\w",
        ),
        *("c", "**c", "b**d", "**/d/"),
    ],
)
def test_as_rsync_does(tmp_path: Path, pattern: str) -> None:
    lay(tmp_path / "from", dict.fromkeys(PATHS, b"x"))
    subprocess.run(
        ["rsync", "-r", f"--exclude={pattern}", f"{tmp_path}/from/", tmp_path / "to"],
        check=True,
        env=os.environ,
    )
    came = {path for path in found(tmp_path / "to") if not path.endswith(b"/")}
    excluded = excluded_by([pattern])
    assert {path for path in PATHS if not excluded(path)} == came
