"""All that lies there is held against its manifests, each file read once; what is damaged is mended, or told."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from lbkit.mirror.keeper.rolling import folder_of
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.node.verifying import FIRST as SHOWN
from lbkit.mirror.node.verifying import Verifying
from lbkit.mirror.tree import scan
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.test_store import FIRST, SECOND, THIRD
from tests.mirror.tree.trees import made

TREES = {1: FIRST, 2: SECOND, 3: THIRD}


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    """Two of the same content; what generations share is one file in each."""
    found = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    for store in found:
        store.root.mkdir()
        for serial, tree in TREES.items():
            for _ in made(store, serial, tree, tmp_path / "plain" / store.root.name / str(serial)):
                pass
    return found


def verified(ours: Store, *sources: Store, mend: bool = False) -> dict[str, Any]:
    verifying = Verifying(Pulling("debian", ours, 3), [folder_of(each) for each in sources], mend, Lock())
    verifying.run()
    return verifying.as_data()


def test_each_file_is_read_once(stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    hashed = scan.hashed

    def counted(path: bytes) -> tuple[int, str]:
        read.append(os.stat(path).st_ino)
        return hashed(path)

    monkeypatch.setattr(scan, "hashed", counted)
    said = verified(stores[0])
    assert (said["damaged"], said["left"], said["failed"]) == (0, 0, "")
    assert (said["files"], said["size"]) == (said["of_files"], said["of_size"])
    assert len(read) == len({*read})
    assert len(read) < said["files"]


@pytest.mark.parametrize("serial", [1, 2, 3])
@pytest.mark.parametrize("mend", [False, True])
def test_rot_is_found_in_whichever_it_is(stores: tuple[Store, Store], serial: int, mend: bool) -> None:  # noqa: FBT001
    ours, theirs = stores
    for path, content in TREES[serial].items():
        if content.startswith(b"->"):
            continue
        here = Path(os.fsdecode(os.path.join(os.fsencode(ours.tree(serial)), path)))
        good = here.read_bytes()
        holders = [
            each
            for each in TREES
            if (other := ours.tree(each) / os.fsdecode(path)).exists() and other.samefile(here)
        ]
        here.write_bytes(b"rot" if good != b"rot" else b"ROT")
        said = verified(ours, theirs, mend=mend)
        if mend:
            assert (said["damaged"], said["mended"], said["left"], said["failed"]) == (1, 1, 0, "")
            assert here.read_bytes() == good
        else:
            assert (said["damaged"], said["left"]) == (len(holders), len(holders))
            assert {each["serial"] for each in said["first"]} == {*holders}
            status = here.stat()
            here.write_bytes(good)
            os.utime(here, (status.st_mtime - 1e9, 1_700_000_000))
        assert verified(ours)["damaged"] == 0


def test_a_disk_that_lost_all_is_told_in_short(stores: tuple[Store, Store], tmp_path: Path) -> None:
    many = Store(tmp_path / "many")
    many.root.mkdir()
    tree = {b"f%03d" % number: b"x" for number in range(100)}
    for _ in made(many, 1, tree, tmp_path / "plain" / "many"):
        pass
    for path in many.tree(1).iterdir():
        path.unlink()
    said = verified(many, stores[1], mend=True)
    assert (said["damaged"], said["mended"], said["left"], len(said["first"])) == (100, 0, 100, SHOWN)
    assert "did not come as they should" in said["failed"]
    assert many.serving() == 1


def test_what_nobody_wants_any_more_ends(stores: tuple[Store, Store]) -> None:
    verifying = Verifying(Pulling("debian", stores[0], 3), [], mend=False, alone=Lock())
    verifying.stop()
    verifying.run()
    assert (verifying.as_data()["files"], verifying.as_data()["failed"]) == (0, "")
