"""From a recipe to an image in the store."""

from __future__ import annotations

import posixpath
import tarfile
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.image.adding import convert
from lbkit.image.filesystem import make_filesystem, make_tree, overlay
from lbkit.image.image import Image
from lbkit.image.initrd import PROGRAMS, initrd, load_order
from lbkit.image.isolation import check_ids, remove_tree
from lbkit.image.packages import bootstrap, host_sources
from lbkit.image.progress import Step, Watch, unwatched
from lbkit.image.recipe import BAKED, Recipe
from lbkit.image.store import LOCK_TIMEOUT, Store, part_of

_KLIBC = "usr/lib/klibc/bin"


def build_image(
    store: Store,
    recipe: Recipe,
    *,
    name: str = "",
    watch: Watch = unwatched,
    lock_timeout: float = LOCK_TIMEOUT,
) -> tuple[Image, bool]:
    """The image of a recipe, named as that or `name`; False where it was there already. Minutes, and 2 GiB meanwhile.

    Raises Failure; nothing is kept of what failed.
    """
    name = name or recipe.name
    with store.making(name, timeout=lock_timeout):
        if image := store.have(name, recipe.digest):
            return image, False
        check_ids()
        sources = host_sources(recipe.suite, store.host.runner)
        with store.draft() as folder:
            archive = bootstrap(recipe, sources, folder, watch)
            versions = _write_boot_files(recipe, archive, folder)
            tree = make_tree(recipe, archive, overlay(recipe, sources.for_guest()), folder, watch)
            raw = make_filesystem(tree, folder / "disk.raw", recipe.size, watch)
            disk = folder / "disk.qcow2"
            convert(raw, disk, watch)
            watch(Step("store"))
            for spare in (archive, raw, folder / "overlay.tar", folder / "apt.conf", folder / "mirrors.list"):
                spare.unlink()
            remove_tree(tree)
            image = Image(
                name=name,
                digest=recipe.digest,
                guest="lbkit",
                disk=part_of(disk),
                virtual_size=recipe.size,
                kernel=part_of(folder / "vmlinuz"),
                initrd=part_of(folder / "initrd"),
                command_line=recipe.command_line,
                made=store.host.clock.now().isoformat(timespec="seconds"),
                folder=folder,
                source={"recipe": recipe.name, "suite": recipe.suite, "packages": versions},
            )
            return store.keep(image), True


def _write_boot_files(recipe: Recipe, archive: Path, folder: Path) -> dict[str, str]:
    """The kernel and an initrd for it beside the disk. Returns the versions of all packages."""
    with tarfile.open(archive) as root:
        found = _Found(root)
        version = found.kernel_version()
        (folder / "vmlinuz").write_bytes(found.content(f"boot/vmlinuz-{version}"))
        modules = f"usr/lib/modules/{version}"
        try:
            order = load_order(
                recipe.modules,
                found.content(f"{modules}/modules.dep").decode(),
                found.content(f"{modules}/modules.builtin").decode(),
            )
        except KeyError as error:
            raise Failure(
                f"the kernel {version} was to have the module {error}", found="no such module"
            ) from error
        programs = {f"/bin/{name}": found.content(f"{_KLIBC}/{name}") for name in PROGRAMS}
        programs |= {f"/lib/{posixpath.basename(path)}": found.content(path) for path in found.klibc()}
        archived = initrd(
            (BAKED / "init").read_bytes(),
            programs,
            [(posixpath.basename(path), found.content(f"{modules}/{path}")) for path in order],
        )
        (folder / "initrd").write_bytes(archived)
        return _versions(found.content("var/lib/dpkg/status").decode())


class _Found:
    """Files of a root file system's archive, by path without a leading slash."""

    def __init__(self, root: tarfile.TarFile) -> None:
        self._root = root
        self._entries = {entry.name.removeprefix("./"): entry for entry in root}

    def content(self, path: str) -> bytes:
        entry = self._entries.get(path)
        stream = self._root.extractfile(entry) if entry else None
        if stream is None:
            raise Failure(f"the packages were to bring /{path}", found="no such file")
        return stream.read()

    def kernel_version(self) -> str:
        names = [path for path in self._entries if path.startswith("boot/vmlinuz-")]
        if len(names) != 1:
            raise Failure("one kernel was to be among the packages", found=", ".join(names) or "none")
        return names[0].removeprefix("boot/vmlinuz-")

    def klibc(self) -> list[str]:
        """Its shared part, which is the interpreter of its programs."""
        return [
            path
            for path, entry in self._entries.items()
            if posixpath.basename(path).startswith("klibc-") and path.endswith(".so") and entry.isfile()
        ]


def _versions(status: str) -> dict[str, str]:
    """Package to version, from dpkg's status file."""
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " "
        )
        if "Package" in fields and fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields.get("Version", "")
    return dict(sorted(found.items()))
