"""Images as a host shall have them, as plans: one that is there, or one that is not. What is there already is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.engine.applying import NotAsPlanned, PlanChanged
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.image.adding import add_image, check_file, check_guest, digest_of
from lbkit.image.building import build_image
from lbkit.image.image import SHOWN, Image, check_name, check_reference
from lbkit.image.isolation import check_ids
from lbkit.image.packages import host_sources
from lbkit.image.progress import Watch, unwatched
from lbkit.image.recipe import Recipe, recipe_of
from lbkit.image.store import LOCK_TIMEOUT, Store, UsedImage

KIND = "image"


@dataclass(frozen=True, slots=True)
class Built:
    """Of a recipe, with more `packages`, and `units` of systemd that start at boot. `name` "": as the recipe."""

    recipe: str
    name: str = ""
    packages: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    @property
    def whole(self) -> Recipe:
        return recipe_of(self.recipe).with_packages(self.packages, self.units)


@dataclass(frozen=True, slots=True)
class Added:
    """The file `path`, whose content has that SHA-256. It need not be there where the store has it already."""

    name: str
    path: Path
    sha256: str
    guest: str = "cloud-init"


@dataclass(frozen=True, slots=True)
class Absent:
    """Of the name, or just that one where `reference` is NAME@DIGEST or a `digest` is given."""

    reference: str
    digest: str = ""

    @classmethod
    def just(cls, image: Built | Added) -> Absent:
        """Not that very one: others of its name stay."""
        name, digest, _ = _named(image)
        return cls(name, digest)


Wanted = Built | Added | Absent


@dataclass(frozen=True, slots=True)
class Use:
    """By image the machines that stand on it; `trouble` is why that is not known, or ""."""

    by_image: Mapping[str, list[str]]
    trouble: str = ""


def plan(wanted: Wanted, store: Store, use: Use) -> Plan:
    """Raises all that `apply` would for what was given: a file is read, and what building needs is looked for."""
    planned = _plan(wanted, store, use)
    if planned and isinstance(wanted, Added):
        check_file(wanted.path, digest_of(wanted.sha256))
    elif planned and isinstance(wanted, Built):
        check_ids()
        host_sources(wanted.whole.suite, store.host.runner)
    return planned


def apply(
    wanted: Wanted,
    store: Store,
    use: Use,
    *,
    promised: Plan | None = None,
    watch: Watch = unwatched,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Plan:
    """What was done. Raises PlanChanged where that is not what was `promised`, NotAsPlanned where it did not come to it."""
    planned = _plan(wanted, store, use)
    if promised is not None and promised.as_data() != planned.as_data():
        raise PlanChanged(promised, planned)
    if not planned:
        return planned
    new = True
    match wanted:
        case Built():
            _, new = build_image(
                store, wanted.whole, name=wanted.name, watch=watch, lock_timeout=lock_timeout
            )
        case Added():
            _, new = add_image(
                store,
                wanted.name,
                wanted.path,
                sha256=wanted.sha256,
                guest=wanted.guest,
                watch=watch,
                lock_timeout=lock_timeout,
            )
        case Absent():
            for change in planned.changes:
                store.remove(change.key.name, used=use.by_image)
    if left := _plan(wanted, store, use).changes:
        raise NotAsPlanned(left[0], "it is not there" if left[0].want else "it is still there")
    return planned if new else Plan("", (), planned.notes)  # somebody else made it meanwhile


def found(wanted: Wanted, store: Store) -> Image | None:
    """The image that is wanted, where it is there and as it was stored; BrokenImage where it is not."""
    if isinstance(wanted, Absent):
        return None
    name, digest, _ = _named(wanted)
    return store.have(name, digest[:SHOWN])


def _named(wanted: Built | Added) -> tuple[str, str, dict[str, object]]:
    """Name, digest, and what else is said of it."""
    if isinstance(wanted, Added):
        digest = digest_of(wanted.sha256)
        check_guest(wanted.guest)
        return check_name(wanted.name), digest, {"guest": wanted.guest, "file": wanted.path.name}
    recipe = wanted.whole
    said: dict[str, object] = {
        "guest": "lbkit",
        "recipe": recipe.name,
        "suite": recipe.suite,
        "packages": list(recipe.packages),
    }
    return check_name(wanted.name or recipe.name), recipe.digest, said


def _plan(wanted: Wanted, store: Store, use: Use) -> Plan:
    if isinstance(wanted, Absent):
        return _without(_meant(wanted, store), use)
    name, digest, said = _named(wanted)
    image = found(wanted, store)
    if image is not None:
        newest = store.find(name)
        note = f"image {name} alone means {newest.identity}, which was made later than {image.identity}"
        return Plan("", (), () if newest == image else (note,))
    how = "copied and checked" if isinstance(wanted, Added) else "built from packages, which takes minutes"
    key = Key(KIND, f"{name}@{digest[:SHOWN]}")
    want = Desired(key, {"digest": digest, **said})
    return Plan("", (Change(key, Action.CREATE, Impact.NONE, f"new: {how}", want, None),))


def _meant(wanted: Absent, store: Store) -> list[Image]:
    """The images that shall go, by identity."""
    name, digest = check_reference(wanted.reference)
    if wanted.digest:
        if digest:
            raise Mistake(
                "the image was to be named once",
                found=f"{wanted.reference}, and a digest",
                remedy="give NAME alone",
            )
        digest = wanted.digest
    for error in store.broken():
        if f"/{name}@{digest[:SHOWN]}" in error.wanted:
            raise error
    meant = [image for image in store.images() if image.name == name and image.digest.startswith(digest)]
    if digest and len(meant) > 1:
        raise Mistake(
            f"one image was to be named {wanted.reference}",
            found=", ".join(image.identity for image in meant),
            remedy="give more digits of the digest",
        )
    return sorted(meant, key=lambda image: image.identity)


def _without(images: Iterable[Image], use: Use) -> Plan:
    changes = []
    for image in images:
        if machines := use.by_image.get(image.identity):
            raise UsedImage(
                f"image {image.identity} was to be removed",
                found=f"machines stand on it: {', '.join(machines)}",
                remedy="destroy or replace them first",
            )
        have = Actual(
            Key(KIND, image.identity),
            {"digest": image.digest, "guest": image.guest, "made": image.made},
            None,
        )
        reason = "no machine of this host stands on it" if not use.trouble else "it shall not be there"
        changes.append(Change(have.key, Action.DELETE, Impact.NONE, reason, None, have))
    return Plan("", tuple(changes), (use.trouble,) if changes and use.trouble else ())
