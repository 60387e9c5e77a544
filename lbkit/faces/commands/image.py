"""`lbkit image`: build, add, list, verify, remove and prune the images that virtual machines stand on."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure, Mistake
from lbkit.faces.arguments import Commands, command, takes_agreement, takes_lock_timeout
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.image.image import Image
    from lbkit.image.store import Store

_DEFAULT = "debian-12-lb"
_REFERENCE = "NAME, or NAME@DIGEST as `lbkit image list` shows it"
_BUILD_WAIT = 3600.0
_MORE = (
    "They are kept in /var/lib/lbkit/images, of an ordinary user in ~/.local/share/lbkit/images; LBKIT_IMAGES names "
    "another folder."
)


class NotAgreed(Failure):
    """Nobody agreed to what would be removed."""


def add(commands: Commands) -> None:
    top = command(commands, "image", _run_nothing, about="images that virtual machines stand on", more=_MORE)
    below = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    build = command(
        below,
        "build",
        run_build,
        about="build an image from Debian packages",
        more="Does nothing where it was built of the same recipe before. As root, or with a range of /etc/subuid.",
    )
    build.add_argument("recipe", metavar="RECIPE", nargs="?", default=_DEFAULT, help=f"by default {_DEFAULT}")
    build.add_argument("--name", default="", help="what to call it; by default as the recipe")
    build.add_argument(
        "--add-package", metavar="PACKAGE", action="append", default=[], help="one more; may be given again"
    )
    build.add_argument(
        "--enable",
        metavar="UNIT",
        action="append",
        default=[],
        help="a unit of systemd to start at boot: what packages enable is off; may be given again",
    )
    takes_lock_timeout(build)
    build.set_defaults(lock_timeout=_BUILD_WAIT)

    given = command(
        below,
        "add",
        run_add,
        about="take a ready cloud image",
        more="qcow2 or raw, with a boot loader in it. It is copied and checked, and nothing in it is executed.",
    )
    given.add_argument("name", metavar="NAME", help="what to call it")
    given.add_argument("path", metavar="PATH", type=Path)
    given.add_argument("--sha256", metavar="HEX", required=True, help="the digest that its publisher tells")
    given.add_argument(
        "--guest",
        choices=["cloud-init", "lbkit"],
        default="cloud-init",
        help="what in it learns who the machine is; by default cloud-init",
    )
    takes_lock_timeout(given)
    given.set_defaults(lock_timeout=_BUILD_WAIT)

    command(below, "list", run_list, about="list the images of the store")

    verify = command(
        below,
        "verify",
        run_verify,
        about="read images whole, and compare them with their digests",
        more="Each use looks at sizes and times alone.",
    )
    verify.add_argument("references", metavar="IMAGE", nargs="*", help=f"{_REFERENCE}; by default all")

    remove = command(below, "remove", run_remove, about="remove one image")
    remove.add_argument("reference", metavar="IMAGE", help=_REFERENCE)

    prune = command(
        below,
        "prune",
        run_prune,
        about="remove images that are not used, and what killed builds left",
        more="Images that machines of this host's libvirt stand on are kept. Name with --keep what else topologies "
        "name, and what machines of other hosts stand on: no topology can be planned whose image is not there.",
    )
    prune.add_argument(
        "--keep", metavar="IMAGE", action="append", default=[], help=f"{_REFERENCE}; may be given again"
    )
    takes_agreement(prune)


def _run_nothing(_options: argparse.Namespace, _out: Out) -> int:
    raise Mistake("a command of `lbkit image` was to be given", remedy="`lbkit image --help` lists them")


def run_build(options: argparse.Namespace, out: Out) -> int:
    from lbkit.faces.render.stages import Stages  # noqa: PLC0415 - not for --help
    from lbkit.image.building import build_image  # noqa: PLC0415
    from lbkit.image.recipe import recipe_of  # noqa: PLC0415

    recipe = recipe_of(options.recipe).with_packages(options.add_package, options.enable)
    with Stages(out) as stages:
        image, new = build_image(
            _store(), recipe, name=options.name, watch=stages.watch, lock_timeout=options.lock_timeout
        )
    return _made(image, "built" if new else "built before", out, new=new)


def run_add(options: argparse.Namespace, out: Out) -> int:
    from lbkit.faces.render.stages import Stages  # noqa: PLC0415 - not for --help
    from lbkit.image.adding import add_image  # noqa: PLC0415

    with Stages(out) as stages:
        image, new = add_image(
            _store(),
            options.name,
            options.path,
            sha256=options.sha256,
            guest=options.guest,
            watch=stages.watch,
            lock_timeout=options.lock_timeout,
        )
    return _made(image, "added" if new else "added before", out, new=new)


def run_list(_options: argparse.Namespace, out: Out) -> int:
    store = _store()
    images, broken = store.images(), store.broken()
    used = _used()[0]
    if out.json:
        out.document(
            {
                "schema": "lbkit.images/1",
                "folder": str(store.folder),
                "images": [{**image.told(), "used_by": used.get(image.identity, [])} for image in images],
                "broken": [error.as_data() for error in broken],
            }
        )
        return 0
    for image in images:
        size = sum(part.size for part in image.parts)
        out.line(
            f"{image.identity}  {_mib(size)} of {_mib(image.virtual_size)}, guest {image.guest}, made {image.made}"
            + (f", used by {', '.join(used[image.identity])}" if image.identity in used else "")
        )
    if not images:
        out.line(f"no images in {store.folder}")
    for error in broken:
        out.warning(f"{error.wanted}: {error.found}; {error.remedy}")
    return 0


def run_verify(options: argparse.Namespace, out: Out) -> int:
    from lbkit.faces.render.stages import Stages  # noqa: PLC0415 - not for --help
    from lbkit.image.progress import Step  # noqa: PLC0415

    store = _store()
    references = options.references or [image.identity for image in store.images()]
    with Stages(out) as stages:
        images = [
            store.verify(
                reference,
                lambda fraction: stages.watch(Step(f"verify {reference}", fraction)),  # noqa: B023 - called within
            )
            for reference in references
        ]
    if out.json:
        out.document(
            {
                "schema": "lbkit.images/1",
                "folder": str(store.folder),
                "images": [image.told() for image in images],
            }
        )
    for image in images if not out.json else ():
        out.line(f"{image.identity} is whole")
    return 0


def run_remove(options: argparse.Namespace, out: Out) -> int:
    image = _store().remove(options.reference, used=_used()[0])
    if out.json:
        out.document({"schema": "lbkit.image-removal/1", "removed": [image.identity]})
    else:
        out.line(f"removed {image.identity}")
    return 0


def run_prune(options: argparse.Namespace, out: Out) -> int:
    store = _store()
    used, trouble = _used()
    kept = [*options.keep, *used]
    unused = [image.identity for image in store.unused(kept)]
    if trouble and unused and not out.json:
        out.warning(trouble)
    _agree(unused, options, out)
    gone = store.prune(kept)
    if out.json:
        out.document({"schema": "lbkit.image-removal/1", "removed": gone})
    for name in gone if not out.json else ():
        out.line(f"removed {name}")
    if not gone and not out.json:
        out.line("nothing to remove")
    return 0


def _agree(unused: list[str], options: argparse.Namespace, out: Out) -> None:
    """Show what would go and return if it is agreed to; NotAgreed if not."""
    if options.yes or not unused:
        return
    wanted = "removing images was to be agreed to"
    if not out.interactive:
        raise NotAgreed(
            wanted,
            found=f"nobody to ask: no terminal, or --json; unused: {', '.join(unused)}",
            remedy="nothing was touched; name those in use with --keep, then give --yes",
        )
    for identity in unused:
        out.line(f"- {identity}", "red")
    out.write("\nRemove these? [y/N] ")
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise NotAgreed(wanted, found="the answer was no", remedy="nothing was touched")


def _used() -> tuple[Mapping[str, list[str]], str]:
    """By image the domains on it; and why that is not known, or ""."""
    from lbkit.machine.images import use  # noqa: PLC0415 - not for --help

    used = use()
    return used.by_image, used.trouble


def _store() -> Store:
    from lbkit.base.host import Host  # noqa: PLC0415 - not for --help
    from lbkit.image.store import Store  # noqa: PLC0415

    return Store(Host())


def _made(image: Image, how: str, out: Out, *, new: bool) -> int:
    if out.json:
        out.document({**image.told(), "new": new})
    else:
        out.line(f"{image.identity} {how}: {image.folder}")
    return 0


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
