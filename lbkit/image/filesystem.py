"""From the archive of a root file system to a file with an ext4 file system in it."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.run import CommandFailed
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
    # folders that the overlay was put into
    late = ("-newermt", f"@{EPOCH}", "-exec", "touch", "--no-dereference", f"--date=@{EPOCH}", "{}", "+")
    run_told(inside("find", str(tree), *late))
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
    except CommandFailed as error:
        if "ould not allocate" in error.found:  # a block, or an inode
            raise Failure(
                f"the guest's files were to fit a file system of {size >> 20} MiB",
                found=error.found.splitlines()[-1],
                remedy="add fewer packages",
            ) from error
        raise
    _pin_times(raw, environment)
    return raw


def _pin_times(raw: Path, environment: dict[str, str]) -> None:
    """mke2fs takes over when a file was unpacked: the one thing that differs from one build to the next.

    It gives inodes in order, so those in use are the first ones.
    """
    lines: list[str] = []
    run_told(["dumpe2fs", "-h", str(raw)], lines.append, env=environment)
    counts = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    used = int(counts["Inode count"]) - int(counts["Free inodes"])
    requests = raw.with_name("times")
    requests.write_text(
        "".join(
            f"set_inode_field <{inode}> {field} @{EPOCH}\n"
            for inode in range(_FIRST_INODE, used + 1)
            for field in ("atime", "ctime")
        ),
        encoding="ascii",
    )
    run_told(["debugfs", "-w", "-f", str(requests), str(raw)], env=environment)
    requests.unlink()


_FIRST_INODE = 12  # after those that every ext4 file system has, and lost+found
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,metadata_csum,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize"
)
