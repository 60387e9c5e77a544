"""What readers of a store find: links to views, and views of links to generations (store.py says where each lies)."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from lbkit.base.files import FileFailure, make_folder
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.disk import is_there, remove

CURRENT, SERIALS, VIEW, AT = "current", "serial", "view-", "at-"
REMEMBERED = 1000  # serials that lead somewhere: of those whose generation has gone, to the one that serves

_VIEW = re.compile(r"view-([1-9][0-9]{0,9})", re.ASCII)


class Views:
    """Each link is made anew at once. For any thread; who holds `alone` keeps what serves as it is."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.alone = threading.RLock()

    def serving(self) -> int:
        """The serial that readers get; 0 where nothing was published, or its tree is not there any more."""
        try:
            name = os.readlink(self.root / CURRENT)
        except FileNotFoundError:
            return serials.NONE
        except OSError as error:
            raise FileFailure("read", self.root / CURRENT, error) from error
        match = _VIEW.fullmatch(name)
        return int(match[1]) if match and is_there(self.root / CURRENT / "0") else serials.NONE

    def flip(self, serial: int) -> None:
        """It serves from here on. The link of the one that did is of now: that is when it left."""
        with self.alone:
            before = self.serving()
            if before == serial:
                return
            if (link := self.by_serial(before)).is_symlink():
                self._link(link, f"../{VIEW}{before}")
            self._link(self.root / CURRENT, f"{VIEW}{serial}")

    def make(self, serial: int, found: Iterable[int]) -> None:
        view = self.root / "work" / "view"
        remove(view)
        view.mkdir(mode=0o755)
        for index, each in enumerate(found):
            os.symlink(f"../gen-{each}", view / str(index))
            (view / f"{AT}{index}").mkdir(mode=0o755)
            os.symlink(f"../../gen-{each}", view / f"{AT}{index}" / self.name)
        os.rename(view, self.root / f"{VIEW}{serial}")
        make_folder(self.root / SERIALS)
        self._link(self.by_serial(serial), f"../{VIEW}{serial}")

    def lead_on(self, serial: int) -> None:
        """Whoever asks for a serial that has gone gets the one that serves."""
        link = self.by_serial(serial)
        if link.is_symlink():
            self._link(link, f"../{CURRENT}")
        with contextlib.suppress(FileNotFoundError):
            links = sorted(
                os.listdir(self.root / SERIALS), key=lambda name: serials.behind(int(name), serial)
            )
            for name in links[REMEMBERED:]:
                remove(self.root / SERIALS / name)

    def by_serial(self, serial: int) -> Path:
        return self.root / SERIALS / str(serial)

    def _link(self, path: Path, target: str) -> None:
        """At once, whatever it was before: a reader finds the one or the other."""
        new = self.root / ".link"
        with self.alone:
            try:
                new.unlink(missing_ok=True)
                os.symlink(target, new)
                os.rename(new, path)
            except OSError as error:
                raise FileFailure("written", path, error) from error
