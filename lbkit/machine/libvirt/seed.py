"""The seed of a virtual machine: a small ISO 9660 file system that says who it is, and has the program of its guest.

    /lbkit/identity.json, guest.pyz            what an image of lbkit's reads, and needs no more
    /user-data, meta-data, network-config      cloud-init's NoCloud, for images that are not lbkit's
    /cloud/boot, lbkit-guest.service           what these start then: the same as is baked into lbkit's

All of it is readable by root alone: user-data may hold secrets. So must be the file that this becomes.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from types import ModuleType, SimpleNamespace

from lbkit.base.secrets import Secret
from lbkit.image.recipe import BAKED
from lbkit.machine.libvirt import cloud_init

_EPOCH = 315532800  # 1980: the first year that all of ISO 9660's and zip's dates have
_FILE, _FOLDER = 0o100400, 0o040500  # S_IFREG, S_IFDIR, and who may

_one_at_a_time = Lock()


def seed_files(
    identity_json: bytes,
    guest_pyz: bytes,
    *,
    instance_id: str,
    hostname: str,
    ssh_keys: Sequence[str] = (),
    user_data: bytes | Secret | None = None,
) -> Mapping[str, bytes]:
    """The files by path. `instance_id` is another one for each generation: cloud-init then begins anew."""
    identity = json.loads(identity_json)
    more = user_data.reveal() if isinstance(user_data, Secret) else user_data
    return {
        "lbkit/guest.pyz": guest_pyz,
        "lbkit/identity.json": identity_json,
        **{
            f"{cloud_init.FOLDER}/{name}": (BAKED / name).read_bytes()
            for name in (cloud_init.START, cloud_init.UNIT)
        },
        "meta-data": cloud_init.meta_data(instance_id, hostname),
        "network-config": cloud_init.network_config(identity["interfaces"], identity["routes"]),
        "user-data": cloud_init.user_data(hostname, ssh_keys, more),
    }


def seed_iso(
    identity_json: bytes,
    guest_pyz: bytes,
    *,
    instance_id: str,
    hostname: str,
    ssh_keys: Sequence[str] = (),
    user_data: bytes | Secret | None = None,
) -> bytes:
    """The file system's bytes: the same for the same arguments."""
    files = seed_files(
        identity_json,
        guest_pyz,
        instance_id=instance_id,
        hostname=hostname,
        ssh_keys=ssh_keys,
        user_data=user_data,
    )
    return iso(files, cloud_init.LABEL)


def iso(files: Mapping[str, bytes], label: str) -> bytes:
    """ISO 9660 with Rock Ridge (Linux) and Joliet. `files` by path, of which a folder may be the first part."""
    from pycdlib.pycdlib import PyCdlib  # noqa: PLC0415 - slow, and only where a machine is made

    image = PyCdlib()
    written = io.BytesIO()
    folders: dict[str, str] = {}
    with _one_at_a_time, _still():
        image.new(interchange_level=3, vol_ident=label, sys_ident="LINUX", joliet=3, rock_ridge="1.09")
        for number, (path, content) in enumerate(sorted(files.items())):
            folder, _, name = path.rpartition("/")
            if folder and folder not in folders:
                folders[folder] = f"/D{len(folders)}"
                image.add_directory(
                    folders[folder], rr_name=folder, joliet_path=f"/{folder}", file_mode=_FOLDER
                )
            image.add_fp(
                io.BytesIO(content),
                len(content),
                f"{folders.get(folder, '')}/F{number}.;1",
                rr_name=name,
                joliet_path=f"/{path}",
                file_mode=_FILE,
            )
        image.write_fp(written)
        image.close()
    return written.getvalue()


@contextmanager
def _still() -> Iterator[None]:
    """The library dates all it makes with the time and zone of now, and has no way to be told another."""
    from pycdlib import dates, headervd, pycdlib  # noqa: PLC0415 - as above

    modules: tuple[ModuleType, ...] = (dates, headervd, pycdlib)
    still = SimpleNamespace(
        time=lambda: _EPOCH,
        localtime=time.gmtime,
        gmtime=time.gmtime,
        strptime=time.strptime,
        strftime=time.strftime,
    )
    for module in modules:
        module.time = still  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.time = time  # type: ignore[attr-defined]
