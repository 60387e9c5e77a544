"""The HAProxy versions that lbkit promises to work with: this machine's own, and what tools/haproxy-versions unpacked."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

VERSIONS = ("2.6", "3.0")
BUILD = Path(__file__).parents[2] / "build"


@cache
def program(version: str) -> Path:
    """An HAProxy of that version, ready to run. A test that asks for one which is not there fails: nothing is skipped."""
    for candidate in (
        shutil.which("haproxy"),
        shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin"),
        BUILD / f"haproxy-{version}" / "haproxy",
    ):
        if candidate is not None and version_of(Path(candidate)).startswith(f"{version}."):
            return Path(candidate)
    pytest.fail(f"no HAProxy {version} here: `make setup` brings it (tools/haproxy-versions)", pytrace=False)


@cache
def version_of(path: Path) -> str:
    """As the program says it, "3.0.11-1+deb13u5"; nothing where there is none."""
    try:
        words = subprocess.run([path, "-v"], capture_output=True, text=True, check=True).stdout
    except OSError:
        return ""
    match = re.match(r"HA-?Proxy version (\S+)", words)
    return match[1] if match else ""
