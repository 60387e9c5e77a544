"""What the driver says before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbkit import operate
from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.image.store import NoSuchImage, Store
from lbkit.machine.libvirt.driver import DRIVER
from tests.image.small import stored


def desired(tmp_path: Path, host: Host, **vm: object) -> None:
    data = {
        "lbkit": 1,
        "name": "web",
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {"lb": {"driver": "libvirt", "networks": ["front"], "vm": {"image": "small", **vm}}},
    }
    list(DRIVER.desired(operate.load_data(data, tmp_path), host))


def test_a_disk_must_hold_its_image(tmp_path: Path) -> None:
    host = Host(image_dir=tmp_path / "images")
    image = stored(Store(host), "small", virtual_size=1 << 30)
    desired(tmp_path, host, disk="1GiB")
    with pytest.raises(Mistake) as caught:
        desired(tmp_path, host, disk="1000MiB")
    assert caught.value.where == "machines.lb.vm.disk"
    assert image.identity in caught.value.wanted
    assert caught.value.found == "1000 MiB, and the image has 1024"


def test_an_image_must_be_in_the_store(tmp_path: Path) -> None:
    with pytest.raises(NoSuchImage, match="small"):
        desired(tmp_path, Host(image_dir=tmp_path / "images"))
