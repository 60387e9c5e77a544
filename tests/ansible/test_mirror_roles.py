"""The roles that have machines ready for mirrors: what they say of themselves, what they change and what they only look at, and the words of
what fails. molecule/mirror has them run on machines of a topology.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbkit.base import syscalls
from tests.ansible.conftest import ROOT, Play, Played

ROLES = ROOT / "ansible_collections" / "lbkit" / "core" / "roles"
NAMES = ("mirror_master", "mirror_node")


def of(role: str, file: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROLES / role / file).read_text())
    return data


@pytest.mark.parametrize("role", NAMES)
def test_what_they_say_of_their_variables_is_true(role: str) -> None:
    entries = of(role, "meta/argument_specs.yml")["argument_specs"]
    options = entries["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == of(role, "defaults/main.yml")
    assert all(name.startswith(f"{role}_") for name in options)
    assert all(name.startswith(f"{role}_") for name in of(role, "vars/main.yml"))
    for entry in entries.values():
        assert entry["options"].items() <= options.items()
        secrets = {name for name, option in entry["options"].items() if option.get("no_log")}
        assert secrets == {name for name in entry["options"] if name.endswith(("_password", "_key"))}


@pytest.fixture
def etc(tmp_path: Path) -> Iterator[None]:
    """An /etc that is this test's own."""
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir=/etc,upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    syscalls.mount("overlay", "/etc", "overlay", 0, layers)
    yield
    syscalls.unmount("/etc")


@pytest.fixture
def world(topology_name: str) -> Iterator[Path]:
    """A folder that nginx could come to."""
    world = Path("/run", f"{topology_name}-world")
    for name in ("topology", "upstream"):
        (world / name).mkdir(parents=True)
    yield world
    if (world / "node").is_mount():
        syscalls.unmount(str(world / "node"))
    shutil.rmtree(world)


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """What is below it: mode, time, and content."""
    return {
        str(path): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (folder, *folder.rglob("*"))
    }


def roles(folder: Path) -> list[dict[str, Any]]:
    """Each on this host, with a disk of its own for the node, which is in memory."""
    both = {"mirrors": ["archive"], "min_free": "1MiB", "min_inodes": 10}
    master = {
        "path": f"{folder}/master", "upstream": f"{folder}/upstream", "key": "none of yours",
        "key_file": f"{folder}/topology/key", "ask_upstream": False, **both,
    }  # fmt: skip
    node = {
        "path": f"{folder}/node", "disk": {"device": "tmpfs", "type": "tmpfs", "options": "size=8m,mode=755"},
        "size": "2MiB", "generation_size": "1MiB", "daemons": "kept", **both,
    }  # fmt: skip
    return [included("mirror_master", master), included("mirror_node", node)]


def included(role: str, variables: dict[str, Any]) -> dict[str, Any]:
    prefixed = {f"{role}_{name}": value for name, value in variables.items()}
    return {"ansible.builtin.include_role": {"name": f"lbkit.core.{role}"}, "vars": prefixed}


def playbook(folder: Path, tasks: list[dict[str, Any]], **more: Any) -> Path:
    path = folder / "play.yml"
    quick = {"ansible_pipelining": True}
    play = {"hosts": "localhost", "gather_facts": False, "vars": quick, "tasks": tasks, **more}
    path.write_text(json.dumps([play]))
    return path


def changed(played: Played) -> list[str]:
    assert played.code == 0, [each for each in played.tasks if each["outcome"] == "failed"]
    return [each["task"].rpartition(" : ")[2] for each in played.tasks if each["result"].get("changed")]


@pytest.mark.sandbox
def test_check_mode_says_what_comes_and_a_second_run_changes_nothing(
    netns: None, etc: None, world: Path, play: Play, tmp_path: Path
) -> None:
    path = playbook(tmp_path, roles(world))
    before, fstab = everything(world), Path("/etc/fstab").read_bytes()
    said = {"Tell that it would be mounted": "Mount it"}
    foreseen = play(path, "--check", "--diff")
    assert (everything(world), Path("/etc/fstab").read_bytes()) == (before, fstab)
    made = play(path, "--diff")
    assert changed(made) == [
        "Make the folder of the generations", "Put secrets there",
        "Make the folder of the generations", "Have the disk mounted at each boot", "Mount it",
    ]  # fmt: skip
    assert [*map(said.get, told := changed(foreseen), told)] == changed(made)
    assert "none of yours" not in made.text + foreseen.text
    key = world / "topology" / "key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("none of yours\n", 0o600)
    assert f"tmpfs {world}/node tmpfs size=8m,mode=755 0 2\n" in Path("/etc/fstab").read_text()
    assert (world / "node").is_mount()
    after = everything(world)
    assert changed(play(path)) == []
    assert everything(world) == after


@pytest.mark.sandbox
def test_what_fails_says_what_to_do(netns: None, play: Play, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    there = {"path": str(tmp_path / "data"), "min_free": "0", "min_inodes": 0}
    upstream = {"upstream": "rsync://user@127.0.0.1:9/module", "password": "s3cret-word"}
    wrong: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
        "space": ("mirror_master", {**there, "min_free": "1024TiB"}, ("1024TiB needed", "a larger disk")),
        "file": (
            "mirror_master",
            {**there, **upstream},
            ("was to be said, as mirror_master_password_file",),
        ),
        "upstream": (
            "mirror_master",
            {**there, **upstream, "password_file": str(tmp_path / "password")},
            ("Connection refused", "look at its URL"),
        ),
        "daemons": ("mirror_node", {**there, "daemons": "gone"}, ("disabled, stopped, kept",)),
    }
    tasks: list[dict[str, Any]] = []
    for name, (role, variables, _) in wrong.items():
        rescue = {"name": f"said: {name}", "debug": {"msg": "{{ ansible_failed_result.msg }}"}}
        tasks.append({"block": [included(role, {"daemons": "kept", **variables} if role == "mirror_node" else variables)],
                      "rescue": [rescue]})  # fmt: skip
    tasks.append(
        {
            "name": "check",
            "lbkit.core.mirror_machine_check": {"role": "node", "path": "/proc/mirrors", "min_inodes": 1},
            "check_mode": True,
            "ignore_errors": True,
        }
    )
    tasks.append({**tasks[-1], "name": "do", "check_mode": False})
    # as in a guest or on a plain host: the library is the controller's alone
    played = play(
        playbook(tmp_path, tasks, environment={"PYTHONPATH": ""}),
        ansible_python_interpreter="/usr/bin/python3",
    )
    assert played.code == 0, played.text
    for name, (_, _, words) in wrong.items():
        said = played.task(f"said: {name}")["msg"]
        for each in words:
            assert each in said, name
    assert "s3cret-word" not in played.text
    assert (tmp_path / "password").read_text() == "s3cret-word\n"
    foreseen, came = played.task("check"), played.task("do")
    assert foreseen["msg"] == came["msg"]
    assert foreseen["changed"] is came["changed"] is False
    assert foreseen["checks"] == came["checks"]
    assert "may not be written" in came["msg"]
    assert "program" not in came["invocation"]["module_args"]


@pytest.mark.sandbox
def test_packages_that_are_to_come_are_told_and_nothing_is_judged(
    netns: None, play: Play, tmp_path: Path
) -> None:
    wanted = {
        "packages": ["lbkit-is-no-package"],
        "path": str(tmp_path / "data"),
        "min_free": "1024TiB",
        "daemons": "kept",
    }
    played = play(playbook(tmp_path, [included("mirror_node", wanted)]), "--check")
    assert changed(played) == ["Tell which would be installed", "Make the folder of the generations"]
    assert played.task("Tell which would be installed")["msg"] == "lbkit-is-no-package"
