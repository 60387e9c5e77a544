"""What the seed says to cloud-init, for images that have it: user-data, meta-data, network-config. Pure.

JSON is YAML, and says text without guessing: all documents are JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from email.encoders import encode_base64
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from lbkit.base.errors import Mistake

LABEL = "cidata"
"""Of the file system that cloud-init's NoCloud takes its data from."""

UNIT = "lbkit-guest.service"
START = "boot"
FOLDER = "cloud"
"""Of the seed: what an image of lbkit's has baked in, the unit and what it starts, for images that are not lbkit's."""

_SEED = "/run/lbkit-seed"

_ALL_IPV6 = ip_network("::/0")

_BEGINNINGS = (
    "#cloud-config",
    "#cloud-boothook",
    "#include",
    "#part-handler",
    "#!",
    "## template: jinja",
)

# How cloud-init merges a part into what came before it (its manual, "Merging user data sections").
_OVER = "dict(replace)+list()+str()"
_UNDER = "dict(no_replace,recurse_list)+list(prepend)+str()"


def meta_data(instance_id: str, hostname: str) -> bytes:
    """cloud-init does all anew where the instance id is another one."""
    return _json({"instance-id": instance_id, "local-hostname": hostname})


def network_config(interfaces: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, str]]) -> bytes:
    """Version 2, from an identity's `interfaces` and `routes`: static, found by MAC address, and waited for by nobody.

    A route belongs to the interface on whose prefix its gateway lies.
    """
    ethernets: dict[str, Any] = {}
    for interface in interfaces:
        ethernet: dict[str, Any] = {
            "match": {"macaddress": interface["mac"]},
            "set-name": interface["name"],
            "dhcp4": False,
            "dhcp6": False,
            "accept-ra": False,
            "optional": True,
            "mtu": interface["mtu"],
            "addresses": list(interface["addresses"]),
        }
        prefixes = [ip_interface(address).network for address in interface["addresses"]]
        for route in routes:
            to, via = ip_network(route["to"]), route["via"]
            if not any(ip_address(via) in prefix for prefix in prefixes):
                continue
            if to == _ALL_IPV6:
                ethernet["gateway6"] = via  # of a route to ::/0 cloud-init 22.4 makes one to ::/64
            else:
                ethernet.setdefault("routes", []).append({"to": str(to), "via": via})
        ethernets[interface["name"]] = ethernet
    return _json({"version": 2, "ethernets": ethernets})


def user_data(hostname: str, ssh_keys: Sequence[str] = (), more: bytes | None = None) -> bytes:
    """`more` is any user-data that cloud-init knows by its first line; its lists are kept, and come after lbkit's.

    Nobody logs in by a password over SSH, whatever `more` says.
    """
    over = {
        "hostname": hostname,
        "ssh_pwauth": False,
        "disable_root": not ssh_keys,
    }
    under = {
        "users": [{"name": "root", "lock_passwd": True, "ssh_authorized_keys": list(ssh_keys)}],
        "growpart": {"mode": "auto", "devices": ["/"]},
        "package_update": False,
        "package_upgrade": False,
        "package_reboot_if_required": False,
        "ssh_genkeytypes": ["ed25519"],
        "bootcmd": _start_guest(),
    }
    if more is None:
        return b"#cloud-config\n" + _json({**over, **under})
    first = more[:64].decode("utf-8", "replace")
    if not first.startswith(_BEGINNINGS):
        raise Mistake(
            "user_data was to begin as cloud-init knows it",
            found=ascii(first.partition("\n")[0]),
            remedy="begin it with #cloud-config, or with #! and an interpreter",
        )
    # Another's words first: what they say of merging then tells of nothing that is ours
    parts = [
        _part("text/plain", more, "user-data"),
        _part("text/cloud-config", b"#cloud-config\n" + _json(over), "lbkit-over", _OVER),
        _part("text/cloud-config", b"#cloud-config\n" + _json(under), "lbkit-under", _UNDER),
    ]
    boundary = "lbkit-" + hashlib.sha256(more).hexdigest()[:32]
    return MIMEMultipart(boundary=boundary, _subparts=parts).as_bytes()


def _start_guest() -> list[list[str]]:
    """At each boot, early. The program is not below /run: some mount that without the right to execute.

    The seed is found by reading disks (LABEL=): udev, which makes /dev/disk/by-label, may come to it later than cloud-init.
    """
    return [
        ["mkdir", "-p", "-m", "0700", _SEED],
        ["mount", "-t", "iso9660", "-o", "ro", f"LABEL={LABEL}", _SEED],
        ["install", "-D", "-m", "0755", f"{_SEED}/{FOLDER}/{START}", f"/usr/lib/lbkit/{START}"],
        ["install", "-D", "-m", "0644", f"{_SEED}/{FOLDER}/{UNIT}", f"/run/systemd/system/{UNIT}"],
        ["umount", _SEED],
        ["systemctl", "daemon-reload"],
        ["systemctl", "start", "--no-block", UNIT],
    ]


def _part(kind: str, content: bytes, name: str, merge: str | None = None) -> Message:
    main, _, sub = kind.partition("/")
    part = MIMEBase(main, sub)
    part.set_payload(content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    if merge is not None:
        part.add_header("Merge-Type", merge)
    return part


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()
