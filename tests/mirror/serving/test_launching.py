"""The launchers on the machines that they may find: without the programs, with ports taken, closed folders, or one id alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lbkit.mirror.main import main
from lbkit.mirror.serving import nginx
from tests.mirror.serving.test_http import TREES
from tests.mirror.serving.test_rsync import fetch
from tests.mirror.serving.world import PROGRAM, World, world_of

pytestmark = pytest.mark.sandbox

ONE_ID = ("unshare", "--user", "--map-root-user")


@pytest.fixture
def world() -> Iterator[World]:
    with world_of() as world:
        yield world


def words(world: World, program: str, verb: str = "serve") -> tuple[int, str]:
    done = world.run(program, verb)
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_named(world: World) -> None:
    for program, port in (("http", world.http), ("rsync", world.rsync)):
        with closing(socket.create_server(("127.0.0.1", port))):
            world.write("http", {"sites": [world.site()]})
            world.write("rsync", {"port": world.rsync, "modules": [world.module()]})
            code, said = words(world, program)
        assert code == 1
        assert f"port {port} was to be listened on\n  found: Address already in use" in said


@pytest.mark.parametrize(("program", "package"), [("http", "nginx-light"), ("rsync", "rsync")])
def test_a_program_that_is_not_there_is_named_with_its_package(
    world: World,
    program: str,
    package: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("lbkit.mirror.serving.launch._SYSTEM", ())
    monkeypatch.setenv("PATH", str(world.root))
    world.write("http", {"sites": [world.site()]})
    world.write("rsync", {"port": world.rsync, "modules": [world.module()]})
    assert main([program, "serve", str(world.root / program / "config.json")]) == 1
    assert f"apt install {package}" in capsys.readouterr().err


def test_a_folder_that_is_closed_to_the_web_server_is_named(world: World) -> None:
    world.publish(1, TREES[1])
    (world.root / "debian").chmod(0o700)
    world.write("http", {"sites": [world.site()]})
    code, said = words(world, "http")
    assert code == 1
    assert f"{world.root / 'debian'} lets nobody through, mode 700" in said


def test_a_configuration_that_nginx_refuses_leaves_what_runs(world: World) -> None:
    world.publish(1, TREES[1])
    world.start_http()
    world.write("http", {"sites": [world.site(keep=3), world.site(keep=3)]})  # one name for two
    code, said = words(world, "http", "reload")
    assert code == 1
    assert "nginx was to take its configuration" in said
    assert 'duplicate location "/debian"' in said
    assert world.get("/debian/index").status == 200
    world.write("http", {"sites": [world.site(), world.site("other")]})
    assert words(world, "http", "reload") == (0, "")


def test_what_does_not_run_takes_no_configuration(world: World) -> None:
    world.write("http", {"sites": [world.site()]})
    code, said = words(world, "http", "reload")
    assert code == 1
    assert "it does not run" in said
    (world.root / "http" / nginx.PID).write_text(f"{os.getpid()}\n")  # another's by now
    assert words(world, "http", "reload")[0] == 1


def test_what_is_said_wrongly_is_a_mistake(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.write("http", {"sites": []})
    for wrong in ([], ["http"], ["http", "reload"], ["web", "serve", "x"], ["node", "reload", "x"]):
        assert main(wrong) == 64
    assert main(["http", "serve", str(world.root / "none.json")]) == 64
    assert "was to be said" in capsys.readouterr().err


def test_where_there_is_one_id_both_serve_as_it(world: World, tmp_path: Path) -> None:
    """As in the sandbox of an ordinary user."""
    world.publish(1, TREES[1])
    world.prefix = ONE_ID
    world.start_http()
    world.start_rsync()
    assert world.get("/debian/index").body == b"1"
    assert fetch(world, tmp_path / "to").returncode == 0
    assert (tmp_path / "to" / "data" / "file").read_bytes() == b"file 1"
    world.write("http", {"sites": [world.site(), world.site("other")]})
    assert words(world, "http", "reload") == (0, "")
    assert world.get("/other/x").status == 503
    assert world.log("http") == ""


ALONE = """
import json, subprocess, sys
from tests.machine.world import until
from tests.mirror.serving.world import listens
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
daemon = subprocess.Popen(json.loads(sys.argv[1]))
try:
    until(lambda: listens(873) or daemon.poll() is not None, "rsync listens")
    sys.exit(subprocess.run(["rsync", "-rt", *sys.argv[2:]], check=False).returncode)
finally:
    daemon.terminate()
    daemon.wait()
"""


def test_where_there_is_one_id_rsync_has_its_own_port_all_the_same(world: World, tmp_path: Path) -> None:
    world.publish(1, TREES[1])
    world.write("rsync", {"port": 873, "modules": [world.module()]})
    argv = json.dumps([*PROGRAM, "rsync", "serve", str(world.root / "rsync" / "config.json")])
    done = subprocess.run(
        [*ONE_ID, "--net", sys.executable, "-c", ALONE, argv, "rsync://127.0.0.1/debian/", tmp_path / "to"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "to" / "index").read_bytes() == b"1"
