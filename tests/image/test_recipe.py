"""Recipes as data, and what a build asks of Debian's tools."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.image.filesystem import overlay
from lbkit.image.packages import Sources, command, lines_for
from lbkit.image.recipe import RECIPES, BakedFile, Recipe, recipe_of


@pytest.fixture
def recipe() -> Recipe:
    return recipe_of("debian-12-lb")


def test_the_same_recipe_has_the_same_digest(recipe: Recipe) -> None:
    assert recipe.digest == recipe_of("debian-12-lb").digest
    assert recipe.with_packages([]).digest == recipe.digest
    assert recipe.with_packages(["haproxy"]).digest == recipe.digest, "it is there already"
    more = recipe.with_packages(["tcpdump", "bind9"])
    assert more.digest == recipe.with_packages(["bind9", "tcpdump"]).digest


def test_whatever_differs_makes_another_digest(recipe: Recipe) -> None:
    others = [
        recipe.with_packages(["tcpdump"]),
        recipe.with_packages([], ["ssh.service"]),
        replace(recipe, files={**recipe.files, "/usr/lib/lbkit/boot": BakedFile("", 0o755)}),
        replace(
            recipe, files={**recipe.files, "/etc/hosts": replace(recipe.files["/etc/hosts"], mode=0o600)}
        ),
        replace(recipe, command_line=recipe.command_line + " debug"),
        replace(recipe, masked=recipe.masked[1:]),
        replace(recipe, size=recipe.size * 2),
    ]
    assert len({each.digest for each in [recipe, *others]}) == len(others) + 1


def test_an_unknown_recipe_is_a_mistake_with_a_near_miss() -> None:
    with pytest.raises(Mistake, match="did you mean 'debian-12-lb'"):
        recipe_of("debian-12")


@pytest.mark.parametrize("name", ["", "-o", "a b", "a,b", "../x.deb", "?essential", "a/bookworm", "a\n"])
def test_a_package_is_a_name_and_nothing_else(recipe: Recipe, name: str) -> None:
    with pytest.raises(Mistake, match="Debian package"):
        recipe.with_packages([name])


@pytest.mark.parametrize("name", ["", "ssh", "../ssh.service", "a b.service", "a.service\n"])
def test_a_unit_is_a_name_and_nothing_else(recipe: Recipe, name: str) -> None:
    with pytest.raises(Mistake, match="unit"):
        recipe.with_packages([], [name])


def test_every_recipe_starts_lbkits_program_and_nothing_that_has_a_network(recipe: Recipe) -> None:
    assert dict(recipe.enabled) == {
        "lbkit-guest.service": "sysinit.target",
        "lbkit-grow.service": "multi-user.target",
    }
    for name in RECIPES:
        files = recipe_of(name).files
        boot = files["/usr/lib/lbkit/boot"]
        assert boot.mode == 0o755
        assert "/run/lbkit-guest/identity.json" in boot.content
        assert "ExecStart=/usr/lib/lbkit/boot" in files["/etc/systemd/system/lbkit-guest.service"].content


def test_two_machines_have_no_secret_in_common(recipe: Recipe) -> None:
    for pattern in ("./etc/ssh/ssh_host_*", "./etc/machine-id", "./var/lib/systemd/random-seed"):
        assert pattern in recipe.left_out
    assert recipe.files["/etc/machine-id"].content == ""


def test_the_overlay_is_the_same_bytes_for_the_same_recipe(recipe: Recipe) -> None:
    archive = overlay(recipe, "deb http://mirror/debian bookworm main\n")
    assert archive == overlay(recipe, "deb http://mirror/debian bookworm main\n")
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        entries = {entry.name: entry for entry in found}
    links = {name: entry.linkname for name, entry in entries.items() if entry.issym()}
    units = "./etc/systemd/system"
    assert links[f"{units}/getty.target"] == "/dev/null"
    assert (
        links[f"{units}/sysinit.target.wants/lbkit-guest.service"]
        == "/etc/systemd/system/lbkit-guest.service"
    )
    assert all(entry.uid == entry.gid == 0 for entry in entries.values())


def test_a_unit_that_a_package_brings_is_enabled_where_it_lies(recipe: Recipe) -> None:
    with tarfile.open(fileobj=io.BytesIO(overlay(recipe.with_packages([], ["ssh.service"]), ""))) as found:
        entry = found.getmember("./etc/systemd/system/multi-user.target.wants/ssh.service")
    assert entry.linkname == "/lib/systemd/system/ssh.service"


def test_this_hosts_mirrors_are_used_for_the_images_suite() -> None:
    listed = "Debian http://a/debian/\nDebian http://a/debian/\nDebian-Security http://a/security/\nOther http://b/\n"
    assert lines_for("bookworm", listed) == (
        "deb http://a/debian/ bookworm main",
        "deb http://a/debian/ bookworm-updates main",
        "deb http://a/security/ bookworm-security main",
    )
    assert lines_for("bookworm", "") == ()


def test_no_password_of_a_mirror_and_no_proxy_gets_into_an_image(recipe: Recipe) -> None:
    sources = Sources(
        ("deb http://user:secret@a/debian bookworm main", "deb http://b/debian bookworm main"),
        'Acquire::http::Proxy "http://user:secret@proxy";\n',
    )
    assert sources.for_guest() == "deb http://b/debian bookworm main\n"
    assert "./etc/apt/apt.conf.d/99mmdebstrap" in recipe.left_out
    argv = command(recipe, Path("/x/root.tar"), Path("/x/apt.conf"), Path("/x/mirrors.list"))
    assert argv[-3:] == ["bookworm", "/x/root.tar", "/x/mirrors.list"]
    assert command(recipe, Path("/x/root.tar"), Path("/x/apt.conf"), None)[-1] == "/x/root.tar"
