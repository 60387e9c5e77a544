"""tools/setup on a machine that lacks a daemon: /usr/sbin without HAProxy, and an apt-get that only pretends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base import syscalls

pytestmark = pytest.mark.sandbox

CHECKOUT = Path(__file__).parents[1]
POLICY = Path("/usr/sbin/policy-rc.d")

APT_GET = """#!/bin/sh
echo "$@" >> "$LOG"
case " $* " in *" install "*) ;; *) exit 0;; esac
/usr/sbin/policy-rc.d haproxy start; echo "policy $?" >> "$LOG"
if [ -n "$HANG" ]; then echo hanging; exec sleep 1000; fi
ln -sf /bin/true /usr/sbin/haproxy
"""


@pytest.fixture
def bare(netns: None, tmp_path: Path) -> Iterator[Path]:
    """A checkout that was set up before, on a machine where HAProxy has gone since."""
    real = tmp_path / "sbin"
    real.mkdir()
    syscalls.mount("/usr/sbin", str(real), "none", syscalls.MS_BIND)
    syscalls.mount("tmpfs", "/usr/sbin", "tmpfs", 0)
    for name in set(os.listdir(real)) - {"haproxy", "policy-rc.d"}:
        os.symlink(real / name, f"/usr/sbin/{name}")
    checkout = tmp_path / "checkout"
    (checkout / "tools").mkdir(parents=True)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(CHECKOUT / "tools" / "setup", checkout / "tools")
    shutil.copy(CHECKOUT / "pyproject.toml", checkout)
    os.symlink(sys.executable, checkout / ".venv" / "bin" / "python")
    stamp = "{ pwd && cat pyproject.toml; } | sha256sum > .venv/lbkit-setup"
    subprocess.run(["sh", "-c", stamp], check=True, cwd=checkout)
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "apt-get").write_text(APT_GET, encoding="utf-8")
    (stubs / "apt-get").chmod(0o755)
    yield checkout
    syscalls.unmount("/usr/sbin")
    syscalls.unmount(str(real))


def stamp_of(checkout: Path) -> str:
    return (checkout / ".venv" / "lbkit-setup").read_text(encoding="utf-8")


def setup(checkout: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    stubs = checkout.with_name("stubs")
    return subprocess.Popen(
        [checkout / "tools" / "setup", *words],
        env={**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}", "LOG": f"{stubs}/log", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def asked(checkout: Path) -> list[str]:
    log = checkout.with_name("stubs") / "log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_only_what_is_missing_is_installed_and_no_daemon_starts(bare: Path) -> None:
    process = setup(bare)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert output == "Installing Debian packages: haproxy\n"
    update, install, policy = asked(bare)
    assert update.split()[-1] == "update"
    assert install.endswith("install -y --no-install-recommends haproxy")
    assert policy == "policy 101"  # invoke-rc.d(8): action forbidden by policy
    assert not POLICY.exists()


def test_a_second_run_does_nothing(bare: Path) -> None:
    setup(bare).communicate(timeout=60)
    before = asked(bare)
    process = setup(bare)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    assert asked(bare) == before


def test_for_the_demo_no_virtual_machines_are_asked_for(bare: Path) -> None:
    (bare / ".venv" / "lbkit-setup").write_text("demo " + stamp_of(bare), encoding="utf-8")
    os.unlink("/usr/sbin/libvirtd")
    process = setup(bare, "demo")
    assert process.communicate(timeout=60) == ("Installing Debian packages: haproxy\n", "")
    assert process.returncode == 0


def test_for_the_demo_of_virtual_machines_they_are_and_nothing_for_tests(bare: Path) -> None:
    (bare / ".venv" / "lbkit-setup").write_text("demo-vm " + stamp_of(bare), encoding="utf-8")
    for path in ("/usr/sbin/libvirtd", "/usr/sbin/mke2fs"):
        os.unlink(path)
    process = setup(bare, "demo-vm")
    output, _ = process.communicate(timeout=60)
    assert output.split(": ")[1].split() == ["haproxy", "libvirt-daemon", "e2fsprogs"]
    assert process.returncode == 0


def test_what_was_set_up_for_virtual_machines_is_enough_for_the_demo(bare: Path) -> None:
    os.symlink("/bin/true", "/usr/sbin/haproxy")
    (bare / ".venv" / "lbkit-setup").write_text("demo-vm " + stamp_of(bare), encoding="utf-8")
    process = setup(bare, "demo")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_a_package_whose_daemon_has_no_unit_is_no_failure(bare: Path) -> None:
    os.symlink("/bin/true", "/usr/sbin/haproxy")
    os.unlink("/usr/sbin/libvirtd")
    syscalls.mount("tmpfs", "/lib/systemd/system", "tmpfs", 0)
    try:
        process = setup(bare)
        assert process.communicate(timeout=60) == ("Installing Debian packages: libvirt-daemon\n", "")
    finally:
        syscalls.unmount("/lib/systemd/system")
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_leaves_no_policy_behind(bare: Path, number: signal.Signals) -> None:
    process = setup(bare, HANG="1")
    while asked(bare)[-1:] != ["policy 101"]:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not POLICY.exists()


def test_a_policy_of_the_hosts_own_stays_as_it_is(bare: Path) -> None:
    POLICY.write_text("#!/bin/sh\nexit 101 # mine\n", encoding="utf-8")
    POLICY.chmod(0o755)
    setup(bare).communicate(timeout=60)
    assert asked(bare)[-1] == "policy 101"
    assert POLICY.read_text(encoding="utf-8").endswith("# mine\n")


def test_where_it_may_not_install_it_says_what_is_missing(bare: Path) -> None:
    programs = bare.with_name("programs")
    programs.mkdir()
    for name in set(os.listdir("/usr/bin")) - {"apt-get", "sudo"}:
        os.symlink(f"/usr/bin/{name}", programs / name)
    process = setup(bare, PATH=str(programs))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert errors == (
        "these Debian packages were to be installed: haproxy\n"
        "  found: neither root nor passwordless sudo with apt-get is at hand\n"
        "  to do: as root: apt-get install --no-install-recommends haproxy\n"
    )
