"""Memory of a mirror's steps at a million files.

    python bench/mirror_memory.py [--quick] [--files N]

Each step is a process of its own, and its memory is what the kernel says that it had at most, beside that of one that has imported
as much and done nothing. The manifest is simulated: a million files of a Debian mirror's kind, of which 1 % changed, some came and
some went. No file of them is on a disk: these are the steps that take a whole manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lbkit.mirror.sync.changes import changes_of
from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.tree import manifest

IN_FOLDER = 100


def lines(files: int, *, changed: bool) -> Iterator[bytes]:
    """Of a tree; or of the next one: 1 % is otherwise, one file of a thousand has gone, and as many have come."""
    for number in range(files):
        folder = b"pool/main/%05d" % (number // IN_FOLDER)
        if number == 0:
            yield b"pool\td\n"
            yield b"pool/main\td\n"
        if number % IN_FOLDER == 0:
            yield folder + b"\td\n"
        if changed and number % 1000 == 500:
            continue
        content = b"%d %d" % (number, changed and number % 100 == 0)
        digest = hashlib.sha256(content).hexdigest().encode()
        path = b"%s/package-%07d_1.0-%d_amd64.deb" % (folder, number, number % 7)
        yield b"%s\tf\t644\t1700000000\t%d\t%s\n" % (path, 1000 + number, digest)
        if changed and number % 1000 == 501:
            yield b"%s.new\tf\t644\t1700000000\t%d\t%s\n" % (path, 1000 + number, digest)


def read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from manifest.lines_of(stream)


def nothing(_old: Path, _new: Path) -> None:
    pass


def make(old: Path, new: Path) -> None:
    """The new lines of the old ones and what is otherwise, written with their digest: what a keeper does last."""
    orders = list(manifest.delta(read(old), read(new)))
    with new.with_name("made").open("wb") as to:
        summary = manifest.write(manifest.patched(read(old), orders), to)
    with new.open("rb") as wanted:
        if summary.digest != hashlib.file_digest(wanted, "sha256").hexdigest():
            sys.exit("the digest was to be the same")


def judge(old: Path, new: Path) -> None:
    """What rsync says of 1 %, counted and held against what stands: what the guards ask."""
    items = [
        Item("change" if have else "add", "f", manifest.unescaped(manifest.path_of(want)), 1000)
        for have, want in manifest.changes(read(old), read(new))
        if want is not None
    ]
    changes = changes_of(items, lambda: read(old))
    if changes.changed.files != len([item for item in items if item.doing == "change"]):
        sys.exit(f"the changes were to be counted: {changes}")


def check(old: Path, new: Path) -> None:
    """A manifest that came, of which the lines of another one are known: what a node does with it first."""
    manifest.check(lambda: read(new), lambda: read(old))


def compare(old: Path, new: Path) -> None:
    """Which files a node lacks, of two manifests. Nothing can be linked here, so that every changed one is missing."""
    missing: list[bytes] = []
    for _, want in manifest.changes(read(old), read(new)):
        if want is not None:
            missing.append(want)
    if not missing:
        sys.exit("files were to be missing")


STEPS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "nothing": (nothing, "a process that has imported as much"),
    "judge": (judge, "keeper: count and judge what rsync said of 1 %"),
    "make": (make, "keeper: find what is otherwise, make the new manifest, and its digest"),
    "check": (check, "node: check a manifest that came"),
    "compare": (compare, "node: find which files it lacks"),
}


def step(name: str, folder: Path) -> None:
    """In a process of its own: seconds, and KiB at most."""
    began = time.perf_counter()
    STEPS[name][0](folder / "old", folder / "new")
    seconds = time.perf_counter() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100,000 files")
    parser.add_argument("--files", type=int)
    parser.add_argument("--step", choices=[*STEPS], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments.step, arguments.folder)
        return
    files = arguments.files or (100_000 if arguments.quick else 1_000_000)
    with tempfile.TemporaryDirectory(prefix="lbkit-bench-") as name:
        folder = Path(name)
        for which in ("old", "new"):
            with (folder / which).open("wb") as stream:
                stream.writelines(lines(files, changed=which == "new"))
        size = (folder / "old").stat().st_size >> 20
        print(f"{files:,} files, whose manifest has {size} MiB\n")
        print("| step | MiB at most | of it beyond the first | s |\n|---|--:|--:|--:|")
        least = 0.0
        for each, (_, words) in STEPS.items():
            argv = [sys.executable, __file__, "--step", each, "--folder", name]
            said = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
            most = int(said[1]) / 1024
            least = least or most
            print(f"| {words} | {most:.0f} | {most - least:.0f} | {float(said[0]):.1f} |")


if __name__ == "__main__":
    main()
