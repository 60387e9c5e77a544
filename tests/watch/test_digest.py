"""The digest of what is declared is the same in every process, or a watcher would keep nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lbkit
from lbkit import operate
from lbkit.dns.keygen import write_key
from tests.example import copied

PROGRAM = "import sys, lbkit.operate as o; print(o.digest(o.load(sys.argv[1])))"


def test_every_process_sees_the_same_digest_and_each_file_is_part_of_it(tmp_path: Path) -> None:
    file = copied(tmp_path)
    here = operate.digest(lbkit.load(file))
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, file.name],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == here
    program, key = tmp_path / "web" / "app.py", tmp_path / "tsig.key"
    program.write_text(program.read_text() + "# another one\n")
    edited = operate.digest(lbkit.load(file))
    key.unlink()
    write_key(key)
    assert len({here, edited, operate.digest(lbkit.load(file))}) == 3
