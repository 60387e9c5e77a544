"""What the two programs of a mirror have in common: how they are started, configured, and told to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
from lbkit.base.files import read

PYTHON = ("/usr/bin/python3", "-I", "-S")
"""The machine's own, whoever runs lbkit."""


def run(
    arguments: Sequence[str],
    serve: Callable[[Path], int],
    reload: Callable[[Path], int] | None = None,
) -> int:
    """`serve CONFIG`, or `reload CONFIG` where it can: its exit code. What went wrong stands on stderr."""
    try:
        match arguments:
            case ["serve", config]:
                return serve(Path(config))
            case ["reload", config] if reload is not None:
                return reload(Path(config))
        raise Mistake("`serve CONFIG` was to be said", found=" ".join(arguments))
    except LbkitError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code


def data_of(config: Path) -> dict[str, Any]:
    content = read(config)
    try:
        found = json.loads(content or b"")
    except ValueError as error:
        raise Mistake("the configuration was to be JSON", found=str(error), where=str(config)) from error
    if not isinstance(found, dict):
        raise Mistake("the configuration was to be an object", found=type(found).__name__, where=str(config))
    return found


def keys_of(data: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """By the names that callers say. Mistake where one is missing, short, or for others to read."""
    keys = {}
    for name, file in data["keys"].items():
        path = folder / file
        content = (read(path) or b"").strip()
        if len(content) < 32:
            raise Mistake("a key was to have 32 bytes or more", found=f"{len(content)}", where=str(path))
        if path.stat().st_mode & 0o077:
            raise Mistake(
                "a key was to be for its owner alone",
                found=f"mode {path.stat().st_mode & 0o777:03o}",
                where=str(path),
            )
        keys[name] = content
    return keys


def anchored(upstream: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """An upstream's data, with the files that it names where they are: rsync and curl may be called from anywhere."""
    files = [name for name in upstream if name.endswith("_file") or name == "known_hosts"]
    return {
        **upstream,
        **{name: str((folder / upstream[name]).absolute()) for name in files if upstream[name]},
    }


def listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=128)
    except OSError as error:
        raise Failure(
            f"{address} port {port} was to be listened on",
            found=error.strerror or str(error),
            remedy="another program has it, or the machine has no such address",
        ) from error


def lasting(work: Callable[[], None], name: str) -> None:
    """Have a thread at it for as long as the program runs. A bug that ends it ends the program: else that would look well, and do half."""

    def run() -> None:
        well = False
        try:
            work()
            well = True
        finally:
            if not well:
                traceback.print_exc()
                os._exit(Bug.exit_code)  # as killed: whatever is on the disk is made for that

    threading.Thread(target=run, name=name, daemon=True).start()


def ended(wake: Callable[[], None] = lambda: None) -> threading.Event:
    """Set when somebody says that this process is to end; then `wake` is called. A thread does both: a handler may come while the main thread
    holds the very lock that it would need.
    """
    done = threading.Event()
    told, telling = os.pipe()
    os.set_blocking(telling, False)
    signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def hear() -> None:
        os.read(told, 1)
        done.set()
        wake()

    lasting(hear, "lbkit-end")
    return done
