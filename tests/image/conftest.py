from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base import syscalls
from lbkit.base.host import Host
from lbkit.image.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store whose folder is not there yet."""
    return Store(Host(image_dir=tmp_path / "images"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    syscalls.mount("tmpfs", str(folder), "tmpfs", 0, "size=8m")
    yield folder
    syscalls.unmount(str(folder))
