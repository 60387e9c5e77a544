"""Whether KVM really boots a guest is found by booting one; TCG, which always does, shows that the guest is sound."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.hypervisor import accelerator, doctor, probe_rom
from lbkit.hypervisor.accelerator import Accelerator, boots, kvm_here, probe
from lbkit.hypervisor.connection import Connection, connect
from lbkit.hypervisor.resolved import ResolvedHost

pytestmark = pytest.mark.sandbox

QEMU = "qemu-system-x86_64"


@pytest.mark.parametrize("cpu", ["max", "qemu64"])
def test_the_probes_guest_comes_to_its_end(cpu: str) -> None:
    assert boots(QEMU, "tcg", cpu) == ""


def test_a_processor_that_lacks_what_guests_want() -> None:
    assert boots(QEMU, "tcg", "qemu64,-pni") == "its processor has no SSE3"


def test_a_guest_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_CPU_SECONDS", 1)
    forever = bytearray(probe_rom.rom())
    forever[:2] = b"\xeb\xfe"  # jmp .
    monkeypatch.setattr(probe_rom, "rom", lambda: bytes(forever))
    assert boots(QEMU, "tcg", "max") == "its guest did not come to its end within 1 s"


def test_what_qemu_says_is_the_reason() -> None:
    assert "invalid accelerator" in boots(QEMU, "nothing", "max")


def fake(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose /dev/kvm and QEMU are the test's."""
    monkeypatch.setattr(accelerator, "KVM", tmp_path / "kvm")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_kvm_is_taken_where_it_boots_and_tried_once(machine: Path, host: Host) -> None:
    assert kvm_here(host) == Accelerator("tcg", f"there is no {machine / 'kvm'}")
    (machine / "kvm").touch()
    assert kvm_here(host) == Accelerator("tcg", f"{QEMU} is not installed")
    fake(machine / QEMU, f"echo tried >> {machine}/tries; exit {probe_rom.DONE}")
    assert kvm_here(host, note=False).kind == "kvm"
    assert not host.run_dir.exists()
    for _ in range(3):
        assert kvm_here(host) == Accelerator("kvm", "KVM booted a guest on this machine")
    assert (machine / "tries").read_text(encoding="ascii").count("tried") == 2
    fake(machine / QEMU, "echo 'KVM internal error. Suberror: 1' >&2; read nothing < /dev/zero")
    found = kvm_here(host)
    assert (found.kind, "KVM internal error" in found.why) == ("tcg", True), "another QEMU is tried anew"
    (machine / "kvm").chmod(stat.S_IRUSR | stat.S_IWUSR)
    fake(machine / QEMU, f"exit {probe_rom.DONE}")
    assert kvm_here(host).kind == "kvm"


@pytest.mark.parametrize("noted", [b"", b"[]", b"{", json.dumps({"key": [], "kind": "kvm"}).encode()])
def test_a_note_that_says_nothing_is_passed_over(noted: bytes, machine: Path, host: Host) -> None:
    (machine / "kvm").touch()
    fake(machine / QEMU, f"exit {probe_rom.DONE}")
    host.run_dir.mkdir(parents=True)
    (host.run_dir / "accelerator.json").write_bytes(noted)
    assert kvm_here(host).kind == "kvm"


def test_forced_to_kvm_without_one_is_a_failure(
    hypervisor: ResolvedHost, machine: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(hypervisor)
    assert probe(connection, "auto", host).kind == "tcg"
    assert probe(connection, "tcg", host) == Accelerator("tcg", "it is declared")
    with pytest.raises(Failure) as raised:
        probe(connection, "kvm", host)
    assert raised.value.found == f"there is no {machine / 'kvm'}"
    assert "accelerator: auto" in raised.value.remedy
    # this machine's would boot one, but that libvirt sees none
    monkeypatch.setattr(accelerator, "kvm_here", lambda _: Accelerator("kvm", "it does"))
    assert "offers no KVM" in probe(connection, "auto", host).why


def test_of_another_machine_libvirts_word_is_taken(
    hypervisor: ResolvedHost, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = Connection(ResolvedHost("t", "test:///default", "lbkit", "/p"))
    assert probe(simulated, "auto", host).kind == "tcg"
    monkeypatch.setattr(ResolvedHost, "local", property(lambda _: False))
    assert "offers no KVM" in probe(connect(hypervisor), "auto", host).why
    monkeypatch.setattr(accelerator, "_refused", lambda _: "")
    assert probe(connect(hypervisor), "auto", host) == Accelerator("kvm", accelerator._UNTRIED)


@pytest.mark.parametrize(
    ("mode", "group", "told"), [(0o666, 0, False), (0o600, 0, True), (0o660, 0, True), (0o660, 7, False)]
)
def test_doctor_tells_of_a_device_that_libvirts_guests_may_not_open(
    mode: int, group: int, told: object, machine: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it libvirt probes QEMU again at each call."""
    monkeypatch.delenv("LBKIT_SANDBOX")
    monkeypatch.setattr(doctor.pwd, "getpwnam", lambda _: SimpleNamespace(pw_uid=64055, pw_gid=109))
    monkeypatch.setattr(doctor.os, "getgrouplist", lambda *_: [109, os.getgid() if group else 7])
    (machine / "kvm").touch()
    (machine / "kvm").chmod(mode)
    check = doctor._accelerator(host)
    assert check.good is not told
    assert ("libvirt-qemu" in check.found) is told
    assert not check.needed
