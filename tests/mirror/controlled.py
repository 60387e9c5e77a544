"""A keeper and its nodes as programs, and what a person asks of the keeper."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lbkit.base.errors import LbkitError
from lbkit.mirror.asking import SOCKET, answer, ask
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.tree.store import Store
from tests.machine.world import until
from tests.mirror.test_programs import NODES, World
from tests.mirror.tree.trees import Tree, found, lay

Said = dict[str, Any]


class Controlled(World):
    """The nodes find each other's stores in their folders."""

    changes: Mapping[str, Any] = {}

    def of_keeper(self) -> Said:
        stores = {name: self.folder(name) for name in NODES}
        return {**super().of_keeper(), "sources": stores, **self.changes}

    def of_node(self, name: str) -> Said:
        config = super().of_node(name)
        return {
            **config,
            "sources": {**config["sources"], **{each: self.folder(each) for each in NODES if each != name}},
        }

    def folder(self, name: str) -> Said:
        return {"kind": "folder", "path": str(self.store(name).root).lstrip("/")}

    def store(self, name: str) -> Store:
        return Store(self.root / name / "store")

    @contextmanager
    def connected(self) -> Any:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            connection.connect(str(self.root / "master" / SOCKET))
            yield connection

    def ask(self, **request: Any) -> Said:
        with self.connected() as connection:
            return answer(connection, request)

    def lines(self, **request: Any) -> list[Said]:
        with self.connected() as connection:
            return [*ask(connection, request)]

    def status(self) -> Said:
        return self.ask(do="status")

    def publish(self, tree: Tree) -> int:
        """Upstream is that, synced, and served by all."""
        self.upstream(tree)
        said = self.ask(do="sync", wait=30)
        assert said["run"]["came"] == "made", said
        serial = int(said["serial"])
        self.until_served(tree, serial)
        return serial

    def upstream(self, tree: Tree) -> None:
        for path in sorted((self.root / "upstream").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        lay(self.root / "upstream", tree)

    def until_served(self, tree: Tree, serial: int) -> None:
        until(
            lambda: all(self.store(name).serving() == serial for name in NODES),
            f"all serve generation {serial}",
        )
        for name in NODES:
            assert self.tree(name) == tree

    def tree(self, name: str, serial: int | None = None) -> Tree:
        store = self.store(name)
        tree = found(store.tree(store.serving() if serial is None else serial))
        tree.pop(TRACE.encode(), None)
        return tree

    def end(self, name: str, how: int) -> None:
        self.processes[name].send_signal(how)
        self.processes[name].wait(30)

    def answers(self) -> bool:
        with suppress(OSError, LbkitError):
            return bool(self.status())
        return False

    def again(self, name: str, change: Callable[[Path], None] = lambda _folder: None) -> None:
        """Started anew, on the disk as it is then."""
        change(self.root / name)
        self.start(name)
        until(lambda: name != "master" or self.answers(), "it answers")
