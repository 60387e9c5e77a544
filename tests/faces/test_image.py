"""`lbkit image`: what people and programs read, and what it asks before it removes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lbkit.base.host import Host
from lbkit.faces.cli import main
from lbkit.faces.out import Out
from lbkit.image import building
from lbkit.image.progress import Step, Watch
from lbkit.image.recipe import Recipe
from lbkit.image.store import Store
from lbkit.machine.libvirt import images_used
from tests.faces.conftest import Ran
from tests.faces.test_json import FILE
from tests.image.small import qcow2, sha256, stored


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("LBKIT_IMAGES", str(tmp_path / "images"))
    return Store(Host())


@pytest.fixture
def image(store: Store, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Ran:
        code = main(("image", *words))
        told = capfd.readouterr()
        return Ran(code, told.out, told.err)

    return run


def document(ran: Ran) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(data, json.loads(FILE.read_text(encoding="utf-8")))
    assert not ran.err
    return data


def test_a_ready_image_is_added_once(store: Store, image: Any, tmp_path: Path) -> None:
    given = qcow2(tmp_path / "cloud.img")
    ran = image("add", "cloud", str(given), "--sha256", sha256(given))
    assert ran.code == 0
    found = store.find("cloud")
    assert ran.out == f"{found.identity} added: {found.folder}\n"
    assert "copy" in ran.err
    data = document(image("add", "cloud", str(given), "--sha256", sha256(given), "--json"))
    assert (data["schema"], data["identity"], data["new"]) == ("lbkit.image/1", found.identity, False)


def test_a_wrong_digest_is_a_mistake(store: Store, image: Any, tmp_path: Path) -> None:
    ran = image("add", "cloud", str(qcow2(tmp_path / "cloud.img")), "--sha256", "0" * 64)
    assert ran.code == 64
    assert "was to have the SHA-256 0000" in ran.err
    assert document(image("list", "--json"))["images"] == []


def test_a_build_is_told_stage_by_stage(store: Store, image: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Recipe]()

    def build_image(_store: Store, recipe: Recipe, *, name: str, watch: Watch, lock_timeout: float) -> Any:
        asked.append(recipe)
        watch(Step("install packages"))
        watch(Step("convert", 0.5))
        return stored(store, name or recipe.name), True

    monkeypatch.setattr(building, "build_image", build_image)
    ran = image("build", "--add-package", "tcpdump", "--enable", "ssh.service")
    assert ran.code == 0
    assert ran.out.startswith("debian-12-lb@")
    assert [line.split("  ")[0] for line in ran.err.splitlines()] == ["install packages", "convert"]
    assert "tcpdump" in asked[0].packages
    assert document(image("build", "debian-12-lb", "--name", "mine", "--json"))["name"] == "mine"
    assert image("build", "debian").code == 64


def test_the_list_tells_whole_and_broken_ones(store: Store, image: Any) -> None:
    assert image("list").out == f"no images in {store.folder}\n"
    good, bad = stored(store, "good"), stored(store, "bad")
    (bad.folder / "image.json").write_text("{", encoding="utf-8")
    ran = image("list")
    assert ran.out.startswith(good.identity)
    assert str(bad.folder) in ran.err
    data = document(image("list", "--json"))
    assert [each["identity"] for each in data["images"]] == [good.identity]
    assert len(data["broken"]) == 1


def test_verify_reads_all_or_the_named(store: Store, image: Any) -> None:
    first, second = stored(store, "first"), stored(store, "second")
    assert set(image("verify").out.splitlines()) == {f"{each.identity} is whole" for each in (first, second)}
    assert document(image("verify", "first", "--json"))["images"][0]["name"] == "first"
    second.disk_path.write_bytes(b"disk.qcow2 2")
    ran = image("verify")
    assert ran.code == 1
    assert "SHA-256" in ran.err


def test_prune_asks_and_keeps_what_it_is_told_to(
    store: Store, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused = stored(store, "used"), stored(store, "other")
    ran = image("prune", "--keep", "used")
    assert ran.code == 1
    assert unused.identity in ran.err
    assert used.identity not in ran.err
    said = ["no", "y"]
    monkeypatch.setattr(Out, "interactive", property(lambda self: not self.json))
    monkeypatch.setattr("builtins.input", lambda: said.pop(0))
    assert image("prune", "--keep", "used").code == 1
    assert len(store.images()) == 2
    assert image("prune", "--keep", "used").code == 0
    assert store.images() == [used]
    assert document(image("prune", "--yes", "--json"))["removed"] == [used.identity]
    assert image("prune", "--yes").out == "nothing to remove\n"


def test_remove_takes_one(store: Store, image: Any) -> None:
    first, second = stored(store, "first"), stored(store, "second")
    assert image("remove", "first").out == f"removed {first.identity}\n"
    assert document(image("remove", second.identity, "--json"))["removed"] == [second.identity]
    assert image("remove", "first").code == 64


def test_help_names_no_command_that_is_not_there(image: Any) -> None:
    assert image().code == 64
    assert image("bild").code == 64


def test_where_images_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LBKIT_IMAGES", str(tmp_path))
    assert Host().image_dir == tmp_path
    monkeypatch.delenv("LBKIT_IMAGES")
    monkeypatch.setattr("lbkit.base.host._has_many_ids", lambda: False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Host().image_dir == Path("/data/lbkit/images")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert Host().image_dir == Path("/home/me/.local/share/lbkit/images")
    monkeypatch.setattr("lbkit.base.host._has_many_ids", lambda: True)
    assert Host().image_dir == Path("/var/lib/lbkit/images")


def test_what_machines_stand_on_is_kept_and_listed(
    store: Store, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, _ = stored(store, "used"), stored(store, "other")
    monkeypatch.setattr(
        images_used, "images_used", lambda: {used.identity: ["web.lb-1.1"], "gone@123456": ["x.y.1"]}
    )
    assert f"{used.identity}  " in image("list").out
    assert "used by web.lb-1.1" in image("list").out
    assert image("remove", "used").code == 64
    assert image("prune", "--yes").code == 0
    assert store.images() == [used]
