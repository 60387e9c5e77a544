"""The initrd: modules in an order that works, and an archive that is what the kernel reads."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.image.initrd import initrd, load_order

DEP = """\
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz
kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz
kernel/drivers/virtio/virtio.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz
kernel/drivers/virtio/virtio_ring.ko.xz:
kernel/drivers/char/hw_random/virtio-rng.ko.xz:
"""


def names(order: list[str]) -> list[str]:
    return [path.rsplit("/", 1)[1].split(".")[0] for path in order]


def test_what_a_module_needs_comes_first_and_once() -> None:
    order = load_order(["virtio_pci", "virtio_blk", "virtio_rng", "ext4"], DEP, "kernel/fs/ext4/ext4.ko\n")
    assert names(order) == ["virtio_ring", "virtio", "virtio_pci", "virtio_blk", "virtio-rng"]


def test_a_module_that_the_kernel_lacks_is_named() -> None:
    with pytest.raises(KeyError, match="isofs"):
        load_order(["isofs"], DEP, "")


@given(st.data())
def test_any_order_that_depmod_tells_can_be_loaded(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    direct = [data.draw(st.sets(st.integers(0, number - 1))) if number else set() for number in range(count)]
    whole: list[list[int]] = []  # as depmod: all that it needs, what is needed by others last
    for needs in direct:
        seen = sorted({*needs, *(deeper for need in needs for deeper in whole[need])}, reverse=True)
        whole.append(seen)
    text = "".join(
        f"m{number}.ko:{''.join(f' m{need}.ko' for need in needs)}\n" for number, needs in enumerate(whole)
    )
    wanted = data.draw(st.lists(st.integers(0, count - 1)))
    loaded: set[int] = set()
    for path in load_order([f"m{number}" for number in wanted], text, ""):
        number = int(path[1:-3])
        assert number not in loaded
        assert direct[number] <= loaded
        loaded.add(number)
    assert set(wanted) <= loaded


def entries(archive: bytes) -> list[tuple[str, int, bytes]]:
    """Read as buffer-format.rst of the kernel says."""
    found, at = [], 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * number : at + 14 + 8 * number], 16) for number in range(13)]
        name = archive[at + 110 : at + 110 + fields[11] - 1].decode()
        start = -(-(at + 110 + fields[11]) // 4) * 4
        if name == "TRAILER!!!":
            return found
        found.append((name, fields[1], archive[start : start + fields[6]]))
        at = -(-(start + fields[6]) // 4) * 4


@given(
    st.dictionaries(
        st.from_regex(r"/(bin|lib)/[a-z]{1,9}", fullmatch=True), st.binary(max_size=9), max_size=5
    ),
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,9}\.ko", fullmatch=True), st.binary(max_size=9)), max_size=15),
)
def test_the_archive_has_what_was_put_in_it(
    programs: dict[str, bytes], modules: list[tuple[str, bytes]]
) -> None:
    archive = initrd(b"#!/bin/sh\n", programs, modules)
    found = {name: (mode, content) for name, mode, content in entries(archive)}
    for path, content in {**programs, "/init": b"#!/bin/sh\n"}.items():
        assert found[path[1:]] == (stat.S_IFREG | 0o755, content)
    loaded = sorted(name for name in found if name.startswith("modules/"))  # as a shell expands them
    assert [(name[11:], found[name][1]) for name in loaded] == modules
    seen = set[str]()
    for name, mode, _ in entries(archive):
        assert "/" not in name or name.rsplit("/", 1)[0] in seen, "a folder comes before what is in it"
        if stat.S_ISDIR(mode):
            seen.add(name)
    assert initrd(b"#!/bin/sh\n", dict(reversed(programs.items())), modules) == archive
