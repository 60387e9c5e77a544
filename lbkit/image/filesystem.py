"""From the archive of a root file system to a file with an ext4 file system in it."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.image.isolation import inside
from lbkit.image.packages import EPOCH
from lbkit.image.progress import Step, Watch
from lbkit.image.recipe import BakedFile, Recipe
from lbkit.image.running import run_told

LABEL = "lbkit-root"
_UUID = "6c626b69-7400-4000-8000-000000000001"  # one for all: it names nothing, machines find their disk by its place
_HASH_SEED = "6c626b69-7400-4000-8000-000000000002"
_BYTES_FOR_EACH_FILE = 32768
_UNITS = "/etc/systemd/system"


def overlay(recipe: Recipe, sources_list: str) -> bytes:
    """What the recipe puts over the packages' files, as a tar archive. Pure."""
    files = {**recipe.files, "/etc/apt/sources.list": BakedFile(sources_list)}
    links = dict(recipe.links)
    links |= {f"{_UNITS}/{unit}": "/dev/null" for unit in recipe.masked}
    for unit, target in recipe.enabled.items():
        # where it lies, a link of one's own leads to it
        place = f"{_UNITS}/{unit}" if f"{_UNITS}/{unit}" in files else f"/lib/systemd/system/{unit}"
        links[f"{_UNITS}/{target}.wants/{unit}"] = place
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted({*files, *links}):
            entry = tarfile.TarInfo(f".{path}")
            entry.mtime = EPOCH
            if path in links:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, links[path], 0o777
                archive.addfile(entry)
            else:
                content = files[path].content.encode()
                entry.size, entry.mode = len(content), files[path].mode
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def make_tree(recipe: Recipe, archive: Path, over: bytes, folder: Path, watch: Watch) -> Path:
    """A folder with all of the guest's files, owned as in the guest."""
    watch(Step("unpack the root file system"))
    tree, overlaid = folder / "tree", folder / "overlay.tar"
    tree.mkdir()
    overlaid.write_bytes(over)
    leave_out = [f"--exclude={pattern}" for pattern in recipe.left_out]
    unpack = ("tar", "--extract", "--numeric-owner", "--same-owner", "--preserve-permissions")
    more = ("--xattrs", "--xattrs-include=security.capability", "--directory", str(tree), "--file")
    run_told(inside(*unpack, "--anchored", "--wildcards", *leave_out, *more, str(archive)))
    run_told(inside(*unpack, "--unlink-first", "--directory", str(tree), "--file", str(overlaid)))
    return tree


def make_filesystem(tree: Path, raw: Path, size: int, watch: Watch) -> Path:
    """A sparse file of `size` bytes with an ext4 file system that holds `tree`; the same bytes for the same files."""
    watch(Step("make the file system"))
    with raw.open("xb") as stream:
        stream.truncate(size)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin",
        "E2FSPROGS_FAKE_TIME": str(EPOCH),
        "MKE2FS_CONFIG": "/dev/null",  # what this host's administrator prefers for disks is not the guest's
        "LANG": "C.UTF-8",
    }
    argv = [
        "mke2fs",
        "-q",
        "-b",
        "4096",
        "-I",
        "256",
        "-i",
        str(_BYTES_FOR_EACH_FILE),
        "-m",
        "1",
        "-O",
        _FEATURES,
        "-L",
        LABEL,
        "-U",
        _UUID,
        # of a new sparse file every block is known to be zero: nothing is left for the guest to write later
        "-E",
        f"hash_seed={_HASH_SEED},assume_storage_prezeroed=1,lazy_itable_init=0,lazy_journal_init=0",
        "-d",
        str(tree),
        str(raw),
    ]
    try:
        run_told(inside(*argv), env=environment)
    except Failure as error:
        if "block allocat" in str(error) or "No space" in error.found:
            raise Failure(
                f"the guest's files were to fit a file system of {size >> 20} MiB",
                found=error.found,
                remedy="leave out packages, or free space where images are stored",
            ) from error
        raise
    return raw


_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,metadata_csum,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize"
)
