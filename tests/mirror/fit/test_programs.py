"""What a mirror's machine is asked for by way of programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbkit.mirror.fit.programs import PROGRAMS, RSYNC_OF_SSH, program


def has(folder: Path, name: str, says: str, code: int = 0) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rsync", "rsync  version 3.2.7  protocol version 31"),
        ("rsync", "rsync  version v3.1.0  protocol version 31"),
        ("nginx", "nginx version: nginx/1.22.1"),
        ("curl", "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1"),
        ("ssh", "OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025"),
        ("setpriv", "setpriv from util-linux 2.38.1"),
    ],
)
def test_one_that_will_do(name: str, says: str, tmp_path: Path) -> None:
    found = program(name, search=has(tmp_path, name, says))
    assert found.good, found
    assert str(tmp_path / name) in found.found


@pytest.mark.parametrize(
    ("name", "says", "wanted"),
    [
        ("rsync", "rsync  version 3.0.9  protocol version 30", "3.1.0"),
        ("nginx", "nginx version: nginx/1.18.0 (Ubuntu)", "1.20"),
        ("curl", "curl 7.61.1 (x86_64-redhat-linux-gnu) libcurl/7.61.1", "7.67.0"),
    ],
)
def test_one_that_is_too_old(name: str, says: str, wanted: str, tmp_path: Path) -> None:
    found = program(name, search=has(tmp_path, name, says))
    assert not found.good
    assert found.remedy == f"{wanted} or newer is needed"


def test_by_ssh_a_newer_one_is_needed(tmp_path: Path) -> None:
    search = has(tmp_path, "rsync", "rsync  version 3.1.3  protocol version 31")
    assert program("rsync", search=search).good
    assert not program("rsync", RSYNC_OF_SSH, search=search).good


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_that_is_not_there(name: str, tmp_path: Path) -> None:
    found = program(name, search=str(tmp_path))
    assert (found.good, found.found) == (False, "it is not installed")
    assert f"apt install {PROGRAMS[name].package}" in found.remedy


def test_one_that_says_no_version(tmp_path: Path) -> None:
    assert not program("rsync", search=has(tmp_path, "rsync", "hello")).good
    assert not program("setpriv", search=has(tmp_path, "setpriv", "no", code=127)).good
    (tmp_path / "curl").write_bytes(b"\x7fELF")
    (tmp_path / "curl").chmod(0o755)
    found = program("curl", search=str(tmp_path))
    assert not found.good
    assert "Exec format error" in found.found
