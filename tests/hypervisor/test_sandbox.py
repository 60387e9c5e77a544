"""`lbkit sandbox --libvirt`: a libvirt for one command, as root and as an ordinary user, of which nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base.host import Host

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"  # every user may run it, and Debian's python3-libvirt is its
ORDINARY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
USERS = ["present user", "ordinary user"] if Host().can_switch_user else ["present user"]

# A guest on a bridge of the sandbox, whose TAP is there; the pool where a topology would have it.
SCRIPT = """
set -e
ip link add br9 type bridge
cat > /run/guest.xml <<'END'
<domain type='qemu'><name>guest</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><interface type='bridge'><source bridge='br9'/><target dev='guest9'/></interface></devices></domain>
END
virsh -q create /run/guest.xml
virsh -q list --name
ip -o link show master br9 | grep -c guest9
id -u
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A copy of lbkit that everybody can read."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        os.chmod(name, 0o755)
        shutil.copytree(REPOSITORY / "lbkit", f"{name}/lbkit", ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(name)


@pytest.fixture(params=USERS)
def lbkit(request: pytest.FixtureRequest) -> list[str]:
    return [*(ORDINARY if request.param == "ordinary user" else ()), PYTHON, "-B", "-m", "lbkit"]


def run(lbkit: list[str], folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*lbkit, "sandbox", "--libvirt", "--", *argv],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


def test_a_guest_runs_in_it_and_goes_with_it(lbkit: list[str], folder: Path) -> None:
    done = run(lbkit, folder, "sh", "-c", SCRIPT)
    assert (done.stdout.split(), done.stderr) == (["guest", "1", "0"], "")
    assert not os.path.exists("/run/libvirt/libvirt-sock")


def test_it_ends_as_its_command_does(lbkit: list[str], folder: Path) -> None:
    assert run(lbkit, folder, "sh", "-c", "exit 7").returncode == 7
    missing = run(lbkit, folder, "no-such-program")
    assert missing.returncode == 1
    assert "'no-such-program' was to be run" in missing.stderr
