"""Images as they shall be: what a plan says is what an apply does, and nothing else goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.engine.applying import PlanChanged
from lbkit.engine.plan import Plan
from lbkit.image import direct
from lbkit.image.adding import WrongDigest
from lbkit.image.direct import Absent, Added, Built, Use
from lbkit.image.image import BrokenImage, Image
from lbkit.image.recipe import Recipe, recipe_of
from lbkit.image.store import Store, UsedImage
from tests.image.small import qcow2, sha256, stored

NOBODY = Use({})


def test_what_is_planned_is_done_once(store: Store, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img")
    wanted = Added("cloud", given, sha256(given).upper())
    plan = direct.plan(wanted, store, NOBODY)
    assert not store.folder.exists()
    assert direct.apply(wanted, store, NOBODY, promised=plan) == plan
    assert not direct.plan(wanted, store, NOBODY)
    assert not direct.apply(wanted, store, NOBODY)
    with pytest.raises(PlanChanged):
        direct.apply(wanted, store, NOBODY, promised=plan)
    image = direct.found(wanted, store)
    assert image is not None
    assert str(plan.changes[0]) == f"create image {image.identity}"
    gone = direct.plan(Absent.just(wanted), store, NOBODY)
    assert direct.apply(Absent.just(wanted), store, NOBODY, promised=gone) == gone
    assert not store.images()


def test_a_plan_refuses_what_an_apply_would(store: Store, tmp_path: Path) -> None:
    given, broken = qcow2(tmp_path / "cloud.img"), qcow2(tmp_path / "broken.img")
    content = bytearray(broken.read_bytes())
    content[40:48] = (1 << 40).to_bytes(8, "big")  # the L1 table lies far behind the end
    broken.write_bytes(content)
    (tmp_path / "cloud.gz").write_bytes(b"\x1f\x8b" + bytes(600))
    wrong: list[tuple[direct.Wanted, type[Mistake]]] = [
        (Added("cloud", given, "0" * 64), WrongDigest),
        (Added("cloud", given, "0"), Mistake),
        (Added("Cloud", given, sha256(given)), Mistake),
        (Added("cloud", given, sha256(given), "windows"), Mistake),
        (Added("cloud", broken, sha256(broken)), Mistake),
        (Added("cloud", tmp_path / "cloud.gz", "0" * 64), Mistake),
        (Added("cloud", tmp_path / "none", "0" * 64), Mistake),
        (Built("debian"), Mistake),
        (Built("debian-12-lb", packages=("no package",)), Mistake),
        (Absent("cloud@12345"), Mistake),
        (Absent("cloud@123456", "123456"), Mistake),
    ]
    for wanted, kind in wrong:
        with pytest.raises(kind) as planned:
            direct.plan(wanted, store, NOBODY)
        with pytest.raises(kind) as applied:
            direct.apply(wanted, store, NOBODY)
        assert (planned.value.wanted, planned.value.found) == (applied.value.wanted, applied.value.found)
    assert not store.images()


def test_a_recipe_that_was_built_is_not_built_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Built("debian-12-lb", "lb", packages=("bind9",), units=("named.service",))
    plan = direct.plan(wanted, store, NOBODY)
    (change,) = plan.changes
    assert change.after is not None
    assert "bind9" in change.after["packages"]
    assert change.key.name == f"lb@{wanted.whole.digest[:12]}"
    assert wanted.whole.digest != recipe_of("debian-12-lb").digest

    def build(store: Store, recipe: Recipe, *, name: str, **_more: object) -> tuple[Image, bool]:
        return stored(store, name, digest=recipe.digest), True

    monkeypatch.setattr(direct, "build_image", build)
    assert direct.apply(wanted, store, NOBODY, promised=plan) == plan
    assert not direct.plan(wanted, store, NOBODY)
    assert direct.plan(Built("debian-12-lb", "lb"), store, NOBODY), "of another recipe"


def test_of_a_name_all_go_and_of_a_digest_one(store: Store) -> None:
    old, new = stored(store, text="1"), stored(store, text="2", made="2031-01-01T00:00:00+00:00")
    other = stored(store, "other")

    def gone(wanted: Absent) -> list[str]:
        return [change.key.name for change in direct.plan(wanted, store, NOBODY).changes]

    assert gone(Absent("small")) == sorted([old.identity, new.identity])
    assert gone(Absent(old.identity)) == gone(Absent("small", old.digest)) == [old.identity]
    assert gone(Absent("none")) == gone(Absent("small", "0" * 64)) == []
    direct.apply(Absent(old.identity), store, NOBODY)
    assert {image.identity for image in store.images()} == {new.identity, other.identity}


def test_one_that_machines_stand_on_stays_with_all_of_its_name(store: Store) -> None:
    images = [stored(store, text=text) for text in ("1", "2")]
    use = Use({images[0].identity: ["web.lb-1.1"]})
    for act in (direct.plan, direct.apply):
        with pytest.raises(UsedImage, match=r"web\.lb-1\.1"):
            act(Absent("small"), store, use)
    assert len(store.images()) == 2
    unknown = Use({}, "which images machines stand on is not known: no socket")
    assert direct.plan(Absent("small"), store, unknown).notes == (unknown.trouble,)
    assert direct.plan(Absent("none"), store, unknown) == Plan("")


def test_a_broken_image_is_told(store: Store) -> None:
    image = stored(store)
    image.disk_path.write_text("x")
    with pytest.raises(BrokenImage):
        direct.plan(Added("small", image.disk_path, image.digest), store, NOBODY)
    (image.folder / "image.json").write_text("{}")
    with pytest.raises(BrokenImage):
        direct.plan(Absent("small"), store, NOBODY)
