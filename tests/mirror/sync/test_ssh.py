"""rsync over a real ssh: a host is known or refused, a key is shown and nothing asked, and no name is a word of the shell there."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.sync.rsync import Rsync, RsyncFailed
from lbkit.mirror.sync.upstream import RsyncSsh, upstream_of
from tests.machine.world import until
from tests.mirror.sync.test_itemized import HOSTILE
from tests.mirror.tree.trees import Tree, found, lay

pytestmark = pytest.mark.sandbox

_SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
"""

# An sshd that is root sets its groups, which is forbidden where one id alone is mapped (user_namespaces(7)): it is another one here,
# that has a name and a shell.
_AS_ANOTHER = (
    *("unshare", "--mount", "sh", "-ec", 'mount --bind "$1" /etc/passwd; shift; exec "$@"', "sh"),
    *("{passwd}", "unshare", "--user", "--map-user=65534", "--map-group=65534"),
)

FOLDER = "up $(touch pwned);touch pwned #'\"& -e"
TREE: Tree = {b"a": b"a", b"l": b"->a", **{b"h/" + name: name for name in HOSTILE}, b"h/`touch pwned`": b"x"}


@dataclass
class World:
    folder: Path
    upstream: RsyncSsh

    def got(self, upstream: RsyncSsh) -> Tree:
        to = self.folder / "to"
        rsync = Rsync(upstream, silence=20)
        (to / "h").mkdir(parents=True)
        told: list[Item] = []
        paths = [item.path for item in rsync.compare(to) if item.kind != "d"]
        rsync.get(paths, to, told=told.append)
        assert sorted(item.path for item in told) == sorted(paths)
        return found(to)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("host", "user", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "sshd_config").write_text(_SSHD.format(port=port, folder=tmp_path))
    lay(tmp_path / FOLDER, TREE)
    (tmp_path / "passwd").write_text(f"mirror:x:65534:65534::{tmp_path}:/bin/sh\n")
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("wb"))
        enter = [word.format(passwd=tmp_path / "passwd") for word in _AS_ANOTHER]
        argv = [*enter, "/usr/sbin/sshd", "-D", "-e", "-f", str(tmp_path / "sshd_config")]
        sshd = stack.enter_context(subprocess.Popen(argv, stderr=log))
        stack.callback(sshd.kill)
        until(lambda: _listens(port), f"sshd listens: {(tmp_path / 'log').read_text()}")
        data = {
            "kind": "ssh",
            "host": "127.0.0.1",
            "port": port,
            "user": "mirror",
            "path": str(tmp_path / FOLDER).lstrip("/"),
            "key_file": str(tmp_path / "user"),
            "known_hosts": str(tmp_path / "known"),
        }
        upstream = upstream_of(data)
        assert isinstance(upstream, RsyncSsh)
        yield World(tmp_path, upstream)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_whatever_things_are_called_they_come_and_no_shell_reads_them(world: World) -> None:
    assert world.got(world.upstream) == TREE
    assert not list(world.folder.rglob("pwned"))
    assert not Path("pwned").exists()


def test_a_host_that_is_not_known_is_refused(world: World) -> None:
    (world.folder / "known").write_text("")
    with pytest.raises(RsyncFailed, match="Host key verification failed") as caught:
        world.got(world.upstream)
    assert caught.value.code in {255, 12}, "ssh's own, or rsync's where it sees first that nobody answers"
    assert (world.folder / "known").read_text() == "", "and is not known by that"


def test_another_host_under_the_same_name_is_refused(world: World) -> None:
    port = world.upstream.port
    (world.folder / "known").write_text(f"[127.0.0.1]:{port} {(world.folder / 'stranger.pub').read_text()}")
    with pytest.raises(RsyncFailed, match="Host key verification failed"):
        world.got(world.upstream)


def test_who_has_another_key_does_not_come_in_and_is_not_asked(world: World) -> None:
    with pytest.raises(RsyncFailed, match="Permission denied"):
        world.got(replace(world.upstream, key_file=str(world.folder / "stranger")))


def test_no_sshd_is_a_failure(world: World) -> None:
    with pytest.raises(RsyncFailed, match="Connection refused"):
        world.got(replace(world.upstream, port=1))
