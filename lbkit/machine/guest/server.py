"""The guest's program: serves lbkit's ports. `python3 -I -S guest.pyz serve --identity FILE`.

It needs the standard library alone, and is one process. What it starts is not its child (local/shim.py), and outlives
it. It runs until it is killed; a new one goes on where it was.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lbkit.base.errors import LbkitError, Mistake
from lbkit.base.host import RUN_DIR, Host
from lbkit.machine.guest.door import Door
from lbkit.machine.guest.guest import Guest
from lbkit.machine.guest.ports import device_news, listen, open_device, virtio_ports
from lbkit.machine.guest.pump import Pump
from lbkit.machine.guest.wire import AWAY
from lbkit.machine.guest.workers import Workers

IDENTITY = Path("/run/lbkit-guest/identity.json")
"""Where it is looked for, unless `--identity` says otherwise."""

_FINISH_WITHIN = 10.0  # seconds that calls under way get before the program is executed anew


def main(arguments: Sequence[str], archive: Path, program: str) -> int:
    """`serve [--identity FILE] [--port PATH ...] [--run-dir FOLDER] [--root FOLDER]`, or `check`: its digest.

    Without `--port`, all virtio ports named org.lbkit.N, now and later. A `--port` that is no device is listened on.
    """
    try:
        options = _options(arguments)
        if options is None:
            print(program)
            return 0
        guest = Guest(
            options.identity,
            Host(run_dir=options.run_dir),
            root=options.root,
            archive=archive,
            program=program,
        )
        Server(guest, options.ports).run()
    except LbkitError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


class Server:
    def __init__(self, guest: Guest, ports: Sequence[Path]) -> None:
        self._guest = guest
        self._pump = Pump()
        self._workers = Workers()
        self._doors: dict[Path, Door] = {}
        self._listeners: dict[Path, socket.socket] = {}
        self._given = ports

    def run(self) -> None:
        """Returns never: it executes what took the program's place, when it is told to."""
        trouble = self._guest.begin()
        if trouble:
            print(trouble, file=sys.stderr, flush=True)
        if self._given:
            for path in self._given:
                self._serve(path)
        else:
            self._follow_devices()
        while not self._guest.renewed:
            in_doubt = [door for door in self._doors.values() if door.in_doubt]
            self._pump.turn(AWAY if in_doubt else None)
            for door in in_doubt:
                door.settle()
        deadline = time.monotonic() + _FINISH_WITHIN
        while self._busy() and (left := deadline - time.monotonic()) > 0:
            self._pump.turn(left)
        os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv])  # noqa: S606 - itself, anew

    def _busy(self) -> bool:
        return (
            self._workers.busy > 0 or self._pump.asked or not all(door.idle for door in self._doors.values())
        )

    def _follow_devices(self) -> None:
        news = device_news()

        def changed(_events: int = 0) -> None:
            try:
                while news.recv(65536):
                    pass
            except BlockingIOError:
                pass
            except OSError:  # ENOBUFS: more came than was read. All is looked at anyhow
                self._pump.again(changed)
            for path in virtio_ports():
                self._serve(path)

        self._pump.watch(news.fileno(), changed)
        changed()

    def _serve(self, path: Path) -> None:
        door = self._doors.get(path)
        if door is None:
            door = self._doors[path] = Door(self._guest, self._pump, self._workers, self._closed)
        if door.is_open or path in self._listeners:
            return
        if path.is_char_device():
            try:
                door.open(open_device(path), stays=True)
            except OSError as error:
                print(f"{path} was to be opened: {error.strerror}", file=sys.stderr, flush=True)
            return
        listener = self._listeners[path] = listen(path)
        self._pump.watch(listener.fileno(), lambda _events: self._accept(path))

    def _closed(self) -> None:
        """One was closed: the next that waits at a socket may come in."""
        for path in self._listeners:
            self._accept(path)

    def _accept(self, path: Path) -> None:
        """One at a time, as QEMU does it."""
        door = self._doors[path]
        if door.is_open:
            return
        try:
            connection, _ = self._listeners[path].accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        door.open(connection.detach(), stays=False)


class _Options:
    def __init__(self) -> None:
        self.identity = IDENTITY
        self.run_dir = RUN_DIR
        self.root = Path("/")
        self.ports: list[Path] = []


def _options(arguments: Sequence[str]) -> _Options | None:
    """By hand: argparse takes longer than all else. None: only that it runs was to be seen."""
    options = _Options()
    command, *words = arguments or [""]
    if command == "check" and not words:
        return None
    if command != "serve" or len(words) % 2:
        raise Mistake(
            "`serve`, with options and their values, or `check`, was to be said", found=repr(arguments)
        )
    for name, value in zip(words[::2], words[1::2], strict=True):
        match name:
            case "--identity":
                options.identity = Path(value)
            case "--run-dir":
                options.run_dir = Path(value)
            case "--root":
                options.root = Path(value)
            case "--port":
                options.ports.append(Path(value))
            case _:
                raise Mistake("an option was to be known", found=name)
    return options
