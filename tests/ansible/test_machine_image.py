"""machine_image in real plays, with a small image: check mode predicts and makes nothing, a second run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.host import Host
from lbkit.image.recipe import recipe_of
from lbkit.image.store import Store
from tests import images
from tests.ansible.conftest import Play
from tests.ansible.foretelling import foretold
from tests.image.small import qcow2, sha256, stored

pytestmark = pytest.mark.sandbox


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.foretells("machine_image")
def test_an_image_comes_stays_and_goes(play: Play, tmp_path: Path) -> None:
    folder, given = tmp_path / "images", qcow2(tmp_path / "cloud.img")
    store = Store(Host(image_dir=folder))
    added: dict[str, Any] = {
        "name": "cloud",
        "src": str(given),
        "sha256": sha256(given),
        "folder": str(folder),
    }
    built = {"recipe": "debian-12-lb", "folder": str(images.folder())}
    identity = f"cloud@{sha256(given)[:12]}"

    def playbook(name: str, *tasks: tuple[str, dict[str, Any]]) -> Path:
        steps = [
            {"name": name, "lbkit.core.machine_image": arguments, "ignore_errors": True}
            for name, arguments in tasks
        ]
        path = tmp_path / f"{name}.yml"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": steps}]))
        return path

    making = playbook(
        "making",
        ("adds", added),
        ("is built", built),
        ("wrong digest", {**added, "sha256": "0" * 64}),
        ("no such recipe", {"recipe": "debian-12-bl", "folder": str(folder)}),
        ("no such file", {**added, "src": str(tmp_path / "none"), "sha256": "1" * 64}),
        ("half", {"name": "cloud", "src": str(given)}),
    )
    checked = play(making, "--check", "--diff")
    assert not folder.exists(), "check mode made something"
    made = play(making, "--diff")
    assert checked.code == made.code == 0, made.text
    for task in ("adds", "is built", "wrong digest", "no such recipe", "no such file", "half"):
        foretold(
            "machine_image", checked.task(task), made.task(task), before=set(), after=set(), parts=("msg",)
        )
    (change,) = made.task("adds")["plan"]["changes"]
    assert (change["action"], change["resource"]) == ("create", {"kind": "image", "name": identity})
    assert made.task("adds")["image"]["identity"] == identity
    assert identity in made.task("adds")["diff"]["after"]
    assert made.task("is built")["changed"] is False
    assert made.task("is built")["image"]["digest"] == recipe_of("debian-12-lb").digest
    assert made.task("wrong digest")["error"]["error"] == "WrongDigest"
    assert "did you mean 'debian-12-lb'" in made.task("no such recipe")["msg"]
    assert names(folder) == {identity}

    given.unlink()  # it is in the store: nobody needs the file any more
    other = stored(store, "cloud", text="other", made="2031-01-01T00:00:00+00:00")
    kept = stored(store, "kept")
    before = names(folder)
    gone = {"name": "cloud", "state": "absent", "folder": str(folder)}
    going = playbook(
        "going",
        ("again", added),
        ("just one", {**added, "state": "absent"}),
        ("all of the name", gone),
        ("nothing left", gone),
        ("by its digest", {**gone, "name": kept.identity}),
    )
    checked = play(going, "--check")
    after = names(folder)
    went = play(going)
    assert went.code == 0, went.text
    again = went.task("again")
    assert (again["changed"], again["image"]["identity"]) == (False, identity)
    assert f"cloud alone means {other.identity}" in again["plan"]["notes"][0]
    for task in ("again", "just one", "by its digest"):
        foretold("machine_image", checked.task(task), went.task(task), before=before, after=after)
    removed = {
        task: [change["resource"]["name"] for change in went.task(task)["plan"]["changes"]]
        for task in ("just one", "all of the name", "nothing left", "by its digest")
    }
    assert removed == {
        "just one": [identity],
        "all of the name": [other.identity],
        "nothing left": [],
        "by its digest": [kept.identity],
    }
    assert names(folder) == set()
    assert went.task("nothing left")["changed"] is False
