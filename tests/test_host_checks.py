from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import lbkit
from lbkit import host_checks as doctor
from lbkit.base import sandbox, syscalls
from lbkit.base.host import Host
from lbkit.engine.view import Check


@pytest.fixture(autouse=True)
def _no_sandbox_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forking belongs to tests of its own."""
    monkeypatch.setattr(sandbox, "enter", lambda _argv: 0)


def checks(run_dir: Path) -> dict[str, Check]:
    return {check.name: check for check in doctor.host_checks(Host(run_dir=run_dir))}


def test_this_host_is_good_and_nothing_is_made(tmp_path: Path) -> None:
    found = checks(tmp_path / "run" / "lbkit")
    assert [check.name for check in found.values() if check.needed and not check.good] == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("release", "good"),
    [
        ("5.17.3", False),
        ("4.19.0-27-amd64", False),
        ("5.18.0", True),
        ("6.1.0-25-amd64", True),
        ("7.0-rc1", True),
    ],
)
def test_old_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: str, *, good: bool) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname="Linux", release=release))
    check = checks(tmp_path)["Linux kernel"]
    assert (check.good, check.needed) == (good, True)
    assert "linux-image-amd64" in check.remedy


def test_few_descriptors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1024, 2048))
    check = checks(tmp_path)["file descriptors"]
    assert not check.good
    assert "limits.conf" in check.remedy


@pytest.mark.sandbox
def test_a_full_run_dir(tmp_path: Path) -> None:
    syscalls.mount("tmpfs", str(tmp_path), "tmpfs", 0, "size=1m")
    check = checks(tmp_path / "lbkit")[f"space for {tmp_path / 'lbkit'}"]
    syscalls.unmount(str(tmp_path))
    assert not check.good
    assert check.found == "1 MiB free"
    assert "remount" in check.remedy


def test_an_ordinary_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda *_words: False)
    found = checks(tmp_path / "lbkit")
    assert not found["rights"].good
    assert "lbkit sandbox" in found["rights"].remedy
    assert found[f"write to {tmp_path / 'lbkit'}"].found == f"{tmp_path} may not be written by uid 1000"


def test_a_host_that_gives_no_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_argv: list[str]) -> int:
        raise sandbox.SandboxFailed("a sandbox was to be made", found="no", remedy="sysctl")

    monkeypatch.setattr(sandbox, "enter", refuse)
    check = checks(tmp_path)["sandbox"]
    assert (check.good, check.needed, check.remedy) == (False, False, "sysctl")


@pytest.fixture
def apparmor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A host with AppArmor and Debian's profile of named."""
    profiles = tmp_path / "apparmor.d"
    (profiles / "local").mkdir(parents=True)
    (profiles / "usr.sbin.named").touch()
    (tmp_path / "enabled").write_text("Y\n", encoding="ascii")
    monkeypatch.setattr(doctor, "_PROFILES", profiles)
    monkeypatch.setattr(doctor, "_APPARMOR", tmp_path / "enabled")
    monkeypatch.setattr(sandbox, "inside", lambda: False)
    return profiles


def test_a_profile_that_ties_named_to_other_folders(apparmor: Path) -> None:
    check = checks(Path("/run/lbkit"))["AppArmor and named"]
    assert (check.good, check.needed) == (False, False)
    assert check.remedy.startswith(f"echo '/run/lbkit/** rwlk,' >> {apparmor}/local/usr.sbin.named")
    (apparmor / "local" / "usr.sbin.named").write_text("/run/lbkit/** rwlk,\n", encoding="ascii")
    assert checks(Path("/run/lbkit"))["AppArmor and named"].good


def test_a_disabled_profile_ties_nobody(apparmor: Path) -> None:
    (apparmor / "disable").mkdir()
    (apparmor / "disable" / "usr.sbin.named").touch()
    assert checks(Path("/run/lbkit"))["AppArmor and named"].good


@pytest.mark.usefixtures("apparmor")
def test_without_apparmor_or_in_a_sandbox_it_is_no_question(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox, "inside", lambda: True)
    assert "AppArmor and named" not in checks(tmp_path)
    monkeypatch.setattr(sandbox, "inside", lambda: False)
    (tmp_path / "enabled").unlink()
    assert "AppArmor and named" not in checks(tmp_path)


def test_the_library_tells_the_same_as_often_as_it_is_asked(tmp_path: Path) -> None:
    host = Host(run_dir=tmp_path)
    assert {check.name for check in lbkit.doctor(host)} == {check.name for check in lbkit.doctor(host)}


@pytest.mark.sandbox
def test_the_command_tells_of_the_host_and_of_every_room() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lbkit", "doctor", "--json"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    names = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert names["sandbox"]["good"]
    assert {"Linux kernel", "Python", "file descriptors", "systemd"} < names.keys()
    assert any("haproxy" in name.lower() for name in names)
