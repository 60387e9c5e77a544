"""A machine that does not stand, or whose guest does not answer: there is nothing in it to see, and nothing can be done there."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from lbkit.base.errors import Failure
from lbkit.engine.book import IPAddress
from lbkit.machine.contract import FoundFile, Process, Running
from lbkit.machine.guest.remote import RemoteMachine


class AbsentMachine(RemoteMachine):
    """See `lbkit.machine.contract.Machine`. Looking finds nothing, as in a namespace machine that is gone."""

    def __init__(self, topology: str, member: str, why: str) -> None:
        super().__init__(topology, member, _Nobody(member, why))

    def fetch(self, path: PurePosixPath) -> bytes | None:
        return None

    def files(self, service: str, paths: Iterable[str]) -> Mapping[str, FoundFile]:
        return {}

    def discard(self, path: PurePosixPath) -> None: ...

    def remove(self, service: str) -> None: ...

    def log(self, service: str, *, lines: int = 5) -> tuple[str, ...]:
        return ()

    def addresses(self, interface: str) -> tuple[IPAddress, ...]:
        return ()

    def stop(self, name: str, *, timeout: float | None = None) -> None: ...

    def drain(self, name: str, *, within: float | None = None) -> None: ...

    def running(self) -> Mapping[str, Running]:
        return {}

    def processes(self) -> Mapping[str, Process]:
        return {}


class _Nobody:
    """In place of a session."""

    def __init__(self, member: str, why: str) -> None:
        self._member = member
        self._why = why

    def call(
        self, method: str, params: dict[str, Any], payload: bytes = b"", *, timeout: float = 30.0
    ) -> tuple[Any, bytes]:
        raise self._failure()

    def open_unix(self, path: str, *, timeout: float = 5.0) -> socket.socket:
        raise self._failure()

    def open_tcp(self, address: str, port: int, *, timeout: float = 5.0) -> socket.socket:
        raise self._failure()

    def _failure(self) -> Failure:
        return Failure(
            f"machine {self._member} was to be there",
            found=self._why,
            where=f"machine {self._member}",
            remedy="`lbkit apply` makes it",
        )
