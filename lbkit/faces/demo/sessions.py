"""Clients of a mirror: each session reads an index and then every file that it names, as apt does, and says what was wrong with it."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from lbkit.base.errors import LbkitError
from lbkit.machine.contract import Machine

WAITS = 10.0  # seconds for an answer
SERIAL = "Lbkit-Serial"


@dataclass(frozen=True, slots=True)
class Session:
    """`number` is the publication that its index named, `serials` the generations that answered. `mixed` are files of another
    content than the index said, `missing` those that were not there, `errors` what else went wrong.
    """

    number: int = 0
    serials: frozenset[int] = frozenset()
    files: int = 0
    mixed: Sequence[str] = ()
    missing: Sequence[str] = ()
    errors: Sequence[str] = ()

    @property
    def good(self) -> bool:
        return not (self.mixed or self.missing or self.errors)


def read(machine: Machine, address: str, mirror: str) -> Session:
    """One session, from inside that machine's network; over one connection."""
    connection = http.client.HTTPConnection(address, 80, timeout=WAITS)
    serials: set[int] = set()

    def get(path: str) -> tuple[int, bytes]:
        if connection.sock is None:
            connection.sock = machine.dial(address, 80, timeout=WAITS)
        connection.request("GET", f"/{mirror}/{path}")
        answer = connection.getresponse()
        content = answer.read()
        if serial := answer.headers.get(SERIAL):
            serials.add(int(serial))
        return answer.status, content

    mixed: list[str] = []
    missing: list[str] = []
    errors: list[str] = []
    number, files = 0, {}
    try:
        status, content = get("index.json")
        if status == http.HTTPStatus.OK:
            index = json.loads(content)
            number, files = index["number"], index["files"]
        else:
            errors.append(f"index.json: {status}")
        for path, digest in files.items():
            status, content = get(path)
            if status == http.HTTPStatus.NOT_FOUND:
                missing.append(path)
            elif status != http.HTTPStatus.OK:
                errors.append(f"{path}: {status}")
            elif hashlib.sha256(content).hexdigest() != digest:
                mixed.append(path)
    except (OSError, http.client.HTTPException, LbkitError, ValueError) as error:
        errors.append(f"{type(error).__name__}: {error}")
    finally:
        connection.close()
    return Session(number, frozenset(serials), len(files), mixed, missing, errors)


@dataclass
class Clients:
    """One in each of these machines, one session after the other, until the block ends."""

    machines: Sequence[Machine]
    address: str
    mirror: str
    sessions: list[Session] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for machine in self.machines:
            thread = threading.Thread(target=self._read, args=(machine,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(10 * WAITS)

    def _read(self, machine: Machine) -> None:
        while not self._ends.is_set():
            self.sessions.append(read(machine, self.address, self.mirror))
            self._ends.wait(0.05)

    def summary(self) -> str:
        sessions = [*self.sessions]
        bad = [each for each in sessions if not each.good]
        first = next((word for each in bad for word in (*each.errors, *each.missing, *each.mixed)), "")
        return (
            f"{len(sessions)} sessions, {sum(each.files for each in sessions)} files: "
            f"{sum(bool(each.mixed) for each in sessions)} mixed, {sum(bool(each.missing) for each in sessions)} with a 404, "
            f"{sum(bool(each.errors) for each in sessions)} with an error" + (f" ({first})" if first else "")
        )
