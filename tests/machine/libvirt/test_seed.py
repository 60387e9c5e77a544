"""The seed: what is in it, that it is the same each time, and that nothing of it is for everybody to read."""

from __future__ import annotations

import email
import io
import json
import stat
import time
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from pycdlib.pycdlib import PyCdlib

from lbkit.base.errors import Mistake
from lbkit.base.secrets import Secret
from lbkit.machine.libvirt.cloud_init import user_data
from lbkit.machine.libvirt.seed import seed_files, seed_iso

IDENTITY = json.dumps(
    {
        "version": 1,
        "topology": "web",
        "member": "lb-1",
        "generation": 1,
        "hostname": "lb-1",
        "machine_id": "0" * 32,
        "interfaces": [
            {
                "name": "front",
                "mac": "02:00:00:00:00:01",
                "mtu": 1500,
                "addresses": ["10.0.0.1/24", "fd00::1/64"],
            },
            {"name": "back", "mac": "02:00:00:00:00:02", "mtu": 1400, "addresses": ["10.1.0.1/24"]},
        ],
        "routes": [
            {"to": "0.0.0.0/0", "via": "10.0.0.254"},
            {"to": "10.9.0.0/16", "via": "10.1.0.9"},
            {"to": "::/0", "via": "fd00::ff"},
        ],
        "sysctls": {},
        "ssh_keys": [],
    }
).encode()
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ0aGlz somebody"
PROGRAM = b"PK" * 5000


def a_seed(**more: Any) -> bytes:
    return seed_iso(IDENTITY, PROGRAM, instance_id="web.lb-1.1", hostname="lb-1", **more)


def opened(image: bytes) -> PyCdlib:
    iso = PyCdlib()
    iso.open_fp(io.BytesIO(image))
    return iso


def content(iso: PyCdlib, path: str) -> bytes:
    written = io.BytesIO()
    iso.get_file_from_iso_fp(written, rr_path=path)
    return written.getvalue()


def in_iso(iso: PyCdlib) -> dict[str, int]:
    """Modes by path, of files and folders."""
    modes = {}
    for folder, folders, files in iso.walk(rr_path="/"):
        for name in (*folders, *files):
            path = f"{folder.rstrip('/')}/{name}"
            modes[path] = iso.get_record(rr_path=path).rock_ridge.get_file_mode()
    return modes


def documents(more: bytes | None = None, keys: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The cloud-configs of user-data that are lbkit's."""
    text = user_data("lb-1", keys, more)
    if more is None:
        return [json.loads(text.removeprefix(b"#cloud-config\n"))]
    return [
        json.loads(part.get_payload(decode=True).removeprefix(b"#cloud-config\n"))
        for part in email.message_from_bytes(text).get_payload()
        if part.get_content_type() == "text/cloud-config"
    ]


def test_a_guest_finds_who_it_is_and_its_program() -> None:
    image = a_seed()
    iso = opened(image)
    assert image[0x8028:0x8048].rstrip() == b"cidata"
    assert content(iso, "/lbkit/identity.json") == IDENTITY
    assert content(iso, "/lbkit/guest.pyz") == PROGRAM
    for path, expected in seed_files(IDENTITY, PROGRAM, instance_id="web.lb-1.1", hostname="lb-1").items():
        assert content(iso, f"/{path}") == expected


def test_cloud_init_finds_its_files_by_either_naming() -> None:
    iso = opened(a_seed())
    names = {"user-data", "meta-data", "network-config", "lbkit", "cloud"}
    children = iso.list_children(joliet_path="/")
    assert names <= {
        child.file_identifier().decode("utf-16-be").removesuffix(";1") for child in children if child
    }
    assert {f"/{name}" for name in names} <= in_iso(iso).keys()


def test_nobody_but_root_reads_it() -> None:
    for path, mode in in_iso(opened(a_seed(user_data=Secret(b"#cloud-config\npassword: x\n")))).items():
        assert stat.S_IMODE(mode) & 0o077 == 0, path


def test_the_same_seed_has_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = a_seed()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    time.tzset()
    try:
        assert a_seed() == first
    finally:
        monkeypatch.undo()
        time.tzset()
    assert a_seed(ssh_keys=[KEY]) != first


def test_the_network_is_static_and_waited_for_by_nobody() -> None:
    network = json.loads(seed_files(IDENTITY, PROGRAM, instance_id="i", hostname="lb-1")["network-config"])
    front, back = network["ethernets"]["front"], network["ethernets"]["back"]
    assert network["version"] == 2
    assert front["match"] == {"macaddress": "02:00:00:00:00:01"}
    assert [ip_interface(each) for each in front["addresses"]] == [
        ip_interface("10.0.0.1/24"),
        ip_interface("fd00::1/64"),
    ]
    assert front["routes"] == [{"to": str(ip_network("0.0.0.0/0")), "via": "10.0.0.254"}]
    assert front["gateway6"] == "fd00::ff"
    assert "gateway6" not in back
    assert back["routes"] == [{"to": "10.9.0.0/16", "via": "10.1.0.9"}]
    for name, each in network["ethernets"].items():
        assert each["set-name"] == name
        assert each["optional"]
        assert not each["dhcp4"]
        assert not each["dhcp6"]


def test_another_generation_is_another_instance() -> None:
    first, second = (
        json.loads(seed_files(IDENTITY, PROGRAM, instance_id=name, hostname="lb-1")["meta-data"])
        for name in ("web.lb-1.1", "web.lb-1.2")
    )
    assert first["instance-id"] != second["instance-id"]
    assert first["local-hostname"] == second["local-hostname"] == "lb-1"


@pytest.mark.parametrize("more", [None, b"#cloud-config\nssh_pwauth: true\n", b"#!/bin/sh\n"])
def test_nobody_logs_in_by_a_password(more: bytes | None) -> None:
    said: dict[str, Any] = {}
    for document in documents(more, (KEY,)):
        said |= document
    assert said["ssh_pwauth"] is False
    (root,) = said["users"]
    assert (root["name"], root["lock_passwd"], root["ssh_authorized_keys"]) == ("root", True, [KEY])
    assert said["disable_root"] is False


def test_what_a_person_says_comes_before_what_is_laid_over_it_and_under_it() -> None:
    more = b"#cloud-config\nbootcmd: [[echo, \xc3\xa9]]\nmerge_how: 'list(replace)'\n"
    message = email.message_from_bytes(user_data("lb-1", (), more))
    theirs, over, under = message.get_payload()
    assert theirs.get_payload(decode=True) == more
    assert theirs["Merge-Type"] is None
    # forced; and defaults, whose lists go first
    assert over["Merge-Type"].startswith("dict(replace)")
    assert under["Merge-Type"] == "dict(no_replace,recurse_list)+list(prepend)+str()"
    assert "bootcmd" in json.loads(under.get_payload(decode=True).removeprefix(b"#cloud-config\n"))


def test_user_data_of_no_known_kind_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="#cloud-config"):
        user_data("lb-1", (), b"packages: [vim]\n")


def test_a_foreign_image_starts_what_is_baked_into_ours() -> None:
    files = seed_files(IDENTITY, PROGRAM, instance_id="i", hostname="lb-1")
    baked = Path(__file__).parents[3] / "lbkit" / "image" / "baked"
    for name in ("boot", "lbkit-guest.service"):
        assert files[f"cloud/{name}"] == (baked / name).read_bytes()
    commands = documents()[0]["bootcmd"]
    assert all(isinstance(command, list) for command in commands)
    assert commands[-1] == ["systemctl", "start", "--no-block", "lbkit-guest.service"]
    # where the unit expects what it starts
    assert f"ExecStart={commands[2][-1]}\n".encode() in files["cloud/lbkit-guest.service"]
