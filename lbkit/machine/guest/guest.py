"""The guest's program, apart from its ports: who it is, and what it can be asked beyond a machine's contract."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.base.files import read, write_atomic
from lbkit.base.host import Host
from lbkit.machine.guest import values
from lbkit.machine.guest.announce import announce
from lbkit.machine.guest.hello import Hello
from lbkit.machine.guest.identity import Identity
from lbkit.machine.guest.methods import METHODS, Answer, Methods
from lbkit.machine.guest.setting import LINKS_WITHIN, look, set_identity
from lbkit.machine.guest.values import Data
from lbkit.machine.local.machine import LocalMachine
from lbkit.machine.local.network import OwnNetwork
from lbkit.machine.local.proc import boot_id
from lbkit.machine.local.record import processes

_CHECKED_WITHIN = 120.0  # seconds that a new program gets to say that it runs here


class Guest:
    """`archive` is the file that the program was started from, and `program` its digest. Calls are for any thread."""

    def __init__(self, identity_file: Path, host: Host, *, root: Path, archive: Path, program: str) -> None:
        self._identity_file = identity_file
        self._host = host
        self._root = root
        self._archive = archive
        self._program = program
        self._identity: Identity | None = None
        self._lock = threading.Lock()  # one change of who or what it is at a time
        self._digest = ""  # of the identity, once it is set
        self.renewed = False  # the archive is another one: it is to be executed
        self._own: dict[str, Callable[[Data, bytes], Answer]] = {
            "identity": self._set_identity,
            "announce": self._announce,
            "look": self._look,
            "processes": self._processes,
            "renew": self._renew,
            "booted": self._booted,
        }

    def hello(self, session: str) -> Hello:
        who = self._identity
        return Hello(
            session,
            program=self._program,
            boot=boot_id(),
            identity=self._digest,
            topology=who.topology if who else "",
            member=who.member if who else "",
            generation=who.generation if who else 0,
        )

    def begin(self) -> str:
        """Be who the file says, at the start; what is wrong with that, or "". Then it can be told anew."""
        content = read(self._identity_file)
        if content is None:
            return f"{self._identity_file} is not there: nobody said yet who this is"
        try:
            self._become(self._parsed(content), LINKS_WITHIN)
        except LbkitError as error:
            return str(error)
        return ""

    def answer(self, method: str, given: Any, payload: bytes) -> Answer:
        """Raises LbkitError."""
        own = self._own.get(method)
        try:
            if own is not None:
                return own(given, payload)
            if method not in METHODS:
                raise Failure(
                    f"the guest's program was to know {method!r}",
                    found="it does not",
                    remedy="apply again: that gives the guest this lbkit's program",
                )
            found: Answer = getattr(Methods(self.machine()), method)(given, payload)
        except (KeyError, TypeError, ValueError) as error:
            raise Bug(f"{method} was to be asked in the form it has", found=repr(error)) from error
        return found

    def connect(self, what: dict[str, Any]) -> socket.socket:
        """A socket in the guest: {"to": "unix", "path": ...} or {"to": "tcp", "address": ..., "port": ...}."""
        try:
            timeout = float(what["timeout"])
            if what["to"] == "unix":
                return self.machine().connect(PurePosixPath(what["path"]), timeout=timeout)
            return self.machine().dial(str(what["address"]), int(what["port"]), timeout=timeout)
        except (KeyError, TypeError, ValueError) as error:
            raise Bug("a socket was to be asked for in the form it has", found=repr(error)) from error

    def machine(self) -> LocalMachine:
        who = self._identity
        if who is None:
            raise Failure(
                "the guest was to be a machine of a topology",
                found="nobody has told it who it is",
                remedy="apply again: that tells it",
            )
        return LocalMachine(who.topology, self._host, who.member)

    def _set_identity(self, given: Data, payload: bytes) -> Answer:
        identity = self._parsed(payload)
        if given and given.get("now"):
            time.clock_settime(time.CLOCK_REALTIME, float(given["now"]))
        # first the file: a program that starts anew in the middle goes on with it
        with self._lock:
            write_atomic(self._identity_file, payload, mode=0o600)
            self._become(identity, float(given.get("within", LINKS_WITHIN)))
            return self._digest, b""

    def _become(self, identity: Identity, within: float) -> None:
        before, self._identity, self._digest = self._identity, identity, ""
        set_identity(identity, before, root=self._root, within=within)
        self._digest = identity.digest

    def _parsed(self, content: bytes) -> Identity:
        try:
            return Identity.from_data(json.loads(content))
        except (ValueError, RecursionError) as error:
            raise Failure("an identity was to be JSON", found=str(error)) from error

    def _announce(self, given: Data, payload: bytes) -> Answer:
        return announce(float(given.get("within", 0.0))), b""

    def _look(self, given: Data, payload: bytes) -> Answer:
        return look(self._identity), b""

    def _booted(self, given: Data, payload: bytes) -> Answer:
        """Wait until the boot has come to its end, well or not: this program answers long before. False: nobody could say."""
        argv = [
            "systemctl",
            "is-system-running",
            "--wait",
        ]  # systemctl(1): returns once the manager has no start-up jobs
        try:
            said = subprocess.run(
                argv, capture_output=True, timeout=float(given["within"]), check=False
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            return False, b""
        return said.strip() in {b"running", b"degraded"}, b""

    def _processes(self, given: Data, payload: bytes) -> Answer:
        who = self._identity
        if who is None:
            return [], b""
        found = processes(self._host, who.topology, {who.member: OwnNetwork().identity()}, who.member)
        return [values.process_data(each) for each in found.get(who.member, {}).values()], b""

    def _renew(self, given: Data, payload: bytes) -> Answer:
        """The new program is tried before it takes the place of this one, once the answer has left."""
        with self._lock:
            self._replace(payload)
            self.renewed = True
        return None, b""

    def _replace(self, payload: bytes) -> None:
        trial = self._archive.with_name(f".{self._archive.name}.new")
        write_atomic(trial, payload, mode=0o600)
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(trial), "check"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_CHECKED_WITHIN,
                check=False,
            )
            if done.returncode != 0 or not done.stdout:  # Python runs an empty file, too
                raise Failure(
                    "the new program of the guest was to run there",
                    found=done.stderr.decode(errors="replace")[-1500:].strip(),
                    remedy="the guest goes on with the one that it has",
                )
            os.replace(trial, self._archive)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure("the new program of the guest was to be put in place", found=str(error)) from error
        finally:
            trial.unlink(missing_ok=True)
