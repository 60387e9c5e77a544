"""What a person may ask of a node's store while nobody listens there: by its own program, with its agent running or not.

    show CONFIG                  {"serving": SERIAL, "generations": [GENERATION]}, the newest first
    verify CONFIG SERIAL         {"files", "size", "damaged", "first": [{"path", "fault"}]}: every byte of it is read
    verify CONFIG SERIAL quick   the same by names, kinds and sizes, and the manifest by its digest

One line of JSON on stdout. Nothing is changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.mirror.program import data_of
from lbkit.mirror.sync.project import TRACE
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.manifest import entry_of
from lbkit.mirror.tree.store import Store
from lbkit.mirror.tree.verify import damages

_NAMED = 20  # damaged files that are told by name
_PIECE = 1 << 20


WORDS = frozenset({"show", "verify"})


def looked(arguments: Sequence[str]) -> int:
    """Its exit code. What went wrong stands on stderr."""
    try:
        match arguments:
            case ["show", config]:
                return _show(Path(config))
            case ["verify", config, serial]:
                return _verify(Path(config), serial, quick=False)
            case ["verify", config, serial, "quick"]:
                return _verify(Path(config), serial, quick=True)
        raise Mistake("`show CONFIG` or `verify CONFIG SERIAL` was to be said", found=" ".join(arguments))
    except LbkitError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code


def _show(config: Path) -> int:
    store = _store(config)
    found = [each.as_data() for each in reversed(store.generations())]
    _tell({"serving": store.serving(), "generations": found})
    return 0


def _verify(config: Path, serial: str, *, quick: bool) -> int:
    store = _store(config)
    if not serial.isascii() or not serial.isdigit():
        raise Mistake("a serial was to be said", found=serial[:40])
    generation = store.find(int(serial))
    if generation is None:
        raise Failure(
            f"generation {serial} was to be verified", found="it does not stand", where=str(store.root)
        )
    found = [
        (os.fsdecode(path).encode("utf-8", "replace").decode(), fault)
        for path, fault in (_quickly(store, generation) if quick else _wholly(store, generation))
    ]
    _tell(
        {
            "files": generation.files,
            "size": generation.size,
            "damaged": len(found),
            "first": [{"path": path, "fault": fault} for path, fault in found[:_NAMED]],
        }
    )
    return 0


def _wholly(store: Store, generation: Generation) -> Iterator[tuple[bytes, str]]:
    if _is_another(store, generation):
        yield b"(its manifest)", "damaged"
        return
    tree, lines = store.tree(generation.serial), store.lines(generation.serial)
    for each in damages(tree, lines, without=frozenset({os.fsencode(TRACE)})):
        yield each.path, each.fault


def _quickly(store: Store, generation: Generation) -> Iterator[tuple[bytes, str]]:
    if _is_another(store, generation):
        yield b"(its manifest)", "damaged"
        return
    top = os.fsencode(store.tree(generation.serial))
    for line in store.lines(generation.serial):
        entry = entry_of(line)
        here = os.path.join(top, entry.path)
        try:
            status = os.lstat(here)
        except OSError:
            yield entry.path, "missing"
            continue
        kind = "l" if os.path.islink(here) else "d" if os.path.isdir(here) else "f"
        if kind != entry.kind:
            yield entry.path, "otherwise"
        elif kind == "f" and status.st_size != entry.size:
            yield entry.path, "damaged"


def _is_another(store: Store, generation: Generation) -> bool:
    """Whether its manifest is not the one that its digest names: what it says of files is worth nothing then."""
    digest = hashlib.sha256()
    try:
        with store.manifest(generation.serial).open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError:
        return True
    return digest.hexdigest() != generation.digest


def _store(config: Path) -> Store:
    data = data_of(config)
    return Store(config.parent / data["store"], data["project"])


def _tell(data: dict[str, Any]) -> None:
    print(json.dumps(data), flush=True)
