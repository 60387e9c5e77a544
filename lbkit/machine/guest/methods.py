"""What a guest's program can be asked: the machine's contract, call by call. remote.py is the other side of each."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Any

from lbkit.health.outcome import Target
from lbkit.health.question import Question
from lbkit.machine.guest import values
from lbkit.machine.guest.values import Data
from lbkit.machine.local.machine import LocalMachine

Answer = tuple[Any, bytes]

_NOTHING: Answer = (None, b"")


class Methods:
    """Of one machine. Each takes the call's parameters and payload. KeyError, TypeError, ValueError: they are not as they should be."""

    def __init__(self, machine: LocalMachine) -> None:
        self._machine = machine

    def put(self, given: Data, payload: bytes) -> Answer:
        self._machine.put(PurePosixPath(given["path"]), payload, mode=given["mode"], user=given["user"])
        return _NOTHING

    def fetch(self, given: Data, payload: bytes) -> Answer:
        content = self._machine.fetch(PurePosixPath(given["path"]))
        return content is not None, content or b""

    def files(self, given: Data, payload: bytes) -> Answer:
        found = self._machine.files(given["service"], given["paths"])
        lengths, contents = values.joined(each.content for each in found.values())
        listed = zip(found.items(), lengths, strict=True)
        return [[name, each.mode, each.owner, length] for (name, each), length in listed], contents

    def discard(self, given: Data, payload: bytes) -> Answer:
        self._machine.discard(PurePosixPath(given["path"]))
        return _NOTHING

    def remove(self, given: Data, payload: bytes) -> Answer:
        self._machine.remove(given["service"])
        return _NOTHING

    def log(self, given: Data, payload: bytes) -> Answer:
        return list(self._machine.log(given["service"], lines=given["lines"])), b""

    def addresses(self, given: Data, payload: bytes) -> Answer:
        return [str(address) for address in self._machine.addresses(given["interface"])], b""

    def path_to(self, given: Data, payload: bytes) -> Answer:
        return values.path_data(self._machine.path_to(ip_address(given["address"]))), b""

    def execute(self, given: Data, payload: bytes) -> Answer:
        done = self._machine.execute(
            given["argv"],
            stdin=payload.decode() if given["stdin"] else None,
            timeout=given["timeout"],
            cwd=None if given["cwd"] is None else PurePosixPath(given["cwd"]),
            environment=given["environment"],
            check=given["check"],
        )
        return values.completed_data(done)

    def rehearse(self, given: Data, payload: bytes) -> Answer:
        contents = values.parted((length for _, _, length in given["files"]), payload)
        done = self._machine.rehearse(
            given["service"],
            given["argv"],
            {
                name: (content, mode)
                for (name, mode, _), content in zip(given["files"], contents, strict=True)
            },
            environment=given["environment"],
            timeout=given["timeout"],
        )
        return values.completed_data(done)

    def start(self, given: Data, payload: bytes) -> Answer:
        return values.running_data(self._machine.start(values.program_of(given["program"]))), b""

    def reloaded(self, given: Data, payload: bytes) -> Answer:
        self._machine.reloaded(given["name"], given["digest"])
        return _NOTHING

    def stop(self, given: Data, payload: bytes) -> Answer:
        self._machine.stop(given["name"], timeout=given["timeout"])
        return _NOTHING

    def drain(self, given: Data, payload: bytes) -> Answer:
        # earlier lbkits say nothing of it
        self._machine.drain(given["name"], within=given.get("within"))
        return _NOTHING

    def signal(self, given: Data, payload: bytes) -> Answer:
        self._machine.signal(given["name"], given["number"])
        return _NOTHING

    def running(self, given: Data, payload: bytes) -> Answer:
        return [values.running_data(each) for each in self._machine.running().values()], b""

    def probe(self, given: Data, payload: bytes) -> Answer:
        found = self._machine.probe(
            Question.from_data(given["question"]),
            [Target(str(address), int(port)) for address, port in given["targets"]],
            within=given["within"],
            at_once=given["at_once"],
        )
        return [[*target, *values.outcome_data(outcome)] for target, outcome in found.items()], b""


METHODS = frozenset(name for name in vars(Methods) if not name.startswith("_"))
