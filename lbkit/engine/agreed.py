"""What a person agreed to last, as a digest: a program that acts unattended keeps that up, and nothing else.

Kept in the topology's run folder, written by each apply of a person under the topology's lock (docs/adr/0011).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure, make_folder, read, shown, write_atomic
from lbkit.base.host import Host
from lbkit.engine.change import plain
from lbkit.engine.holds import person
from lbkit.engine.plan import Plan
from lbkit.engine.room import Room
from lbkit.engine.scope import Scope

FILE = "agreed.json"
SCHEMA = "lbkit.agreed/1"
_MODE = 0o640


@dataclass(frozen=True, slots=True)
class Agreed:
    """`digest` of what was declared, read from `file`. `ended`: the world has been so once since then."""

    digest: str
    file: str
    by: str
    since: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Keeper:
    """A program that repairs. `by` stands in each line of the journal; of a plan it carries out its `share`.

    `digest` is of the scope that it applies.
    """

    by: str
    digest: str
    share: Callable[[Plan], Plan]


class AgreedOtherwise(Failure):
    """What was to be kept up is not what a person agreed to last. Nothing was touched."""


def digest_of(rooms: Sequence[Room[Any]], scope: Scope, host: Host) -> str:
    """Of all that `scope` declares, with the contents of files and secrets; holds are no part of it."""
    scope = replace(scope, holds={})
    said = sorted(
        json.dumps([want.key.kind, want.key.name, plain(want.state)], sort_keys=True)
        for room in rooms
        for want in room.desired(scope, host)
    )
    whole = hashlib.sha256()
    for line in (scope.name, *said):
        whole.update(line.encode() + b"\n")
    return whole.hexdigest()


def read_agreed(folder: Path) -> Agreed | None:
    """None: nothing was applied, or it was destroyed. Failure where the file cannot be understood."""
    path = folder / FILE
    content = read(path)
    if content is None:
        return None
    try:
        return _agreed(json.loads(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise Failure(
            f"{path} was to say what was applied last",
            found=str(error) or type(error).__name__,
            remedy="apply again: that writes it anew",
        ) from error


def _agreed(data: Any) -> Agreed:
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise ValueError(f"no document of the form {SCHEMA}")
    agreed = Agreed(**data)
    texts = (agreed.digest, agreed.file, agreed.by, agreed.since)
    if not isinstance(agreed.ended, bool) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a field of another type")
    return agreed


def check(folder: Path, digest: str, scope: Scope) -> None:
    """AgreedOtherwise where `digest` is not what a person applied last."""
    agreed = read_agreed(folder)
    if agreed is None or agreed.digest != digest:
        raise AgreedOtherwise(
            f"topology {scope.name!r} was to be kept as {scope.file} declares it",
            found="something else was applied last, or it was destroyed",
            remedy="apply what shall be kept",
        )


def agree(folder: Path, digest: str, scope: Scope, now: datetime, *, anew: bool) -> None:
    """A person wants `scope` as it is; with `anew` there is something to do for it.

    Written before that is done: killed in between, a keeper may do the rest. The caller has the topology's lock.
    """
    try:
        before = read_agreed(folder)
    except Failure:
        before = None  # whatever it said, this is what is wanted now
    if anew or before is None or before.digest != digest:
        since = now.astimezone(UTC).isoformat(timespec="seconds")
        _write(folder, Agreed(digest, shown(Path(scope.file)), person(), since, ended=False))


@contextmanager
def taken_back(folder: Path) -> Iterator[None]:
    """Where the body raises, what was agreed to before it counts again."""
    before = read(folder / FILE)
    try:
        yield
    except BaseException:
        if before is None:
            forget(folder)
        else:
            write_atomic(folder / FILE, before, mode=_MODE)
        raise


def end(folder: Path) -> None:
    """The world is as was agreed. The caller has the topology's lock."""
    agreed = read_agreed(folder)
    if agreed is not None and not agreed.ended:
        _write(folder, replace(agreed, ended=True))


def _write(folder: Path, agreed: Agreed) -> None:
    make_folder(folder)
    data = {"schema": SCHEMA, **asdict(agreed)}
    write_atomic(folder / FILE, (json.dumps(data, indent=1) + "\n").encode(), mode=_MODE)


def forget(folder: Path) -> None:
    """What is being destroyed is nobody's wish any more, also where the destroy is killed half-way."""
    path = folder / FILE
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise FileFailure("removed", path, error) from error
