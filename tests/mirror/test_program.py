"""What lasts as long as a program of a mirror ends it where a bug ends that: half a keeper would look well."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDS = """
import sys, threading
from lbkit.mirror.program import lasting
def work():
    if sys.argv[1] == "bug":
        raise ValueError("nobody thought of it")
    done.set()
done = threading.Event()
lasting(work, "x")
done.wait(60)
"""


@pytest.mark.parametrize(("how", "code", "words"), [("bug", 70, "nobody thought of it"), ("well", 0, "")])
def test_it_ends_with_what_lasts(how: str, code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS, how], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == code
    assert words in done.stderr
