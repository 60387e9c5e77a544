"""Carry out changes of machines and services.

A service's change, in an order that a kill at any point leaves in a state that the next plan sees:

1. the check runs on the new files in a folder apart; where it fails, nothing was touched
2. the process is noted as standing on no declared files, the names of the files to be put are noted
3. files are put, those declared no longer removed
4. it is started, restarted or reloaded
5. it is waited for until it is ready, and then noted as standing on what is declared
"""

from __future__ import annotations

import json
import signal
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from lbkit.base.errors import Bug, Failure, LbkitError
from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.applying import one_by_one
from lbkit.engine.book import IPAddress
from lbkit.engine.change import Action, Change
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.machine.contract import Machine, Program
from lbkit.machine.halting import Halt, halt
from lbkit.machine.handle import driver, driver_of, machine
from lbkit.machine.observe import list_path, listed_files
from lbkit.machine.plan import (
    UNSEEN,
    effective_user,
    file_found,
    file_wanted,
    needs_restart,
    service_of,
    stale,
)
from lbkit.machine.ready import wait_until_ready
from lbkit.machine.resolved import Machines, ResolvedService
from lbkit.machine.trust import removed

WORKERS = 8  # services at a time: each start takes some 15 ms of a core


def apply(changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
    machines = sorted((change for change in changes if change.key.kind != "service"), key=_driver_name)
    for name, of_driver in groupby(machines, key=_driver_name):
        batch = list(of_driver)
        _remove_others(batch, scope, host, done)
        for change in batch:
            if _is_in_the_way(change):
                halt(change, name, scope, host, Halt(), done)
        driver(name).apply(batch, scope, host, done)
    services = [change for change in changes if change.key.kind == "service"]
    _remove([change for change in services if change.want is None], scope, host, done)
    staying = [change for change in services if change.want is not None]
    one_by_one(staying, lambda change: _carry_out(change, scope, host), done, workers=WORKERS)


def _is_in_the_way(change: Change) -> bool:
    """Of a machine that is replaced, whether what runs is to be stopped before."""
    if change.action is not Action.REPLACE or change.key.kind != "machine" or change.before is None:
        return False
    by = driver(_driver_name(change))
    return change.before["driver"] == _driver_name(change) and not by.hands_over and by.runs(change.before)


def _remove_others(changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
    """Of machines that change their driver, what stands of the other."""
    for change in changes:
        before = change.before
        if change.have is not None and before is not None and before["driver"] != _driver_name(change):
            gone = Change(change.key, Action.DELETE, change.impact, change.reason, None, change.have)
            driver(str(before["driver"])).apply([gone], scope, host, _Passing(done, change))


@dataclass(frozen=True, slots=True)
class _Passing:
    """Tells of a part of a change: `done` is for the whole of it."""

    done: Done
    change: Change

    def __call__(self, _change: Change, _detail: str, /) -> None:
        return

    def step(self, _change: Change, lines: Sequence[str], /) -> None:
        self.done.step(self.change, lines)

    def note(self, _change: Change, text: str, /) -> None:
        self.done.note(self.change, text)

    def aside(self, _change: Change, addresses: Collection[IPAddress], /) -> AbstractContextManager[None]:
        return self.done.aside(self.change, addresses)


def _driver_name(change: Change) -> str:
    state = change.after or change.before or {}
    return str(state["driver"])


def _remove(changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
    """All are stopped at once, so that the slowest alone is waited for."""
    by_driver: dict[str, list[tuple[str, str]]] = {}
    for change in changes:
        member, name = _names(change)
        by_driver.setdefault(driver_of(scope, host, member), []).append((member, name))
    for name, programs in by_driver.items():
        driver(name).stop(scope, host, programs)
    for change in changes:
        member, name = _names(change)
        remove = partial(machine(scope, host, member).remove, name)
        done(change, removed(scope, host, member, remove, "stopped, its files removed"))


def _names(change: Change) -> tuple[str, str]:
    member, _, name = change.key.name.partition("/")
    return member, name


def _carry_out(change: Change, scope: Scope, host: Host) -> str:
    service = service_of(scope, change.key)
    if change.want is None or service is None:
        raise Bug(f"{change.key} was to be declared")
    try:
        return _Convergence(machine(scope, host, _names(change)[0]), service, change, scope, host).run()
    except LbkitError as error:
        error.where = error.where or str(change.key)
        raise


class _Convergence:
    """One service from whatever it is to what is declared."""

    def __init__(
        self, where: Machine, service: ResolvedService, change: Change, scope: Scope, host: Host
    ) -> None:
        self.machine = where
        self.service = service
        self.want = change.after or {}
        self.have = change.before or {}
        self.scope = scope
        self.host = host
        declared = scope.of("machine", Machines).by_name[where.name]
        self.user = effective_user(service.user, declared, host)
        self.said: list[str] = []

    def run(self) -> str:
        name, digest = self.service.name, str(self.want["digest"])
        running = self.machine.running().get(name)
        by_reload = running is not None and not needs_restart(self.want, self.have)
        unseen = running is not None and running.digest == digest + UNSEEN
        if not unseen or self.have.get("files") != self.want["files"]:
            self._check()
            if running is not None:
                self.machine.reloaded(name, stale(running.digest))
            self._put_files()
            if by_reload:
                self._reload()
            else:
                self._start(digest)
        if self.service.ready is not None:
            self._wait()
        if by_reload or self.service.ready is not None:
            self.machine.reloaded(name, digest)
        return "; ".join(self.said)

    def _check(self) -> None:
        """Of the new files where nothing live has changed yet: what fails here costs nothing."""
        if self.service.check is None:
            return
        files = {}
        for path, file in self.service.files.items():
            standing = self.machine.files(self.service.name, [path]).get(path) if file.once else None
            content = file.content.reveal() if isinstance(file.content, Secret) else file.content
            files[path] = (standing.content if standing else content, file.mode)
        completed = self.machine.rehearse(
            self.service.name, self.service.check, files, environment=self.service.environment
        )
        if completed.returncode != 0:
            words = (completed.stderr.strip() or completed.stdout.strip())[-2000:]
            raise Failure(
                f"`{' '.join(self.service.check)}` was to find its files good",
                found=words or f"exit code {completed.returncode}",
                where=self._where,
                remedy="mend the files; the service was not touched",
            )
        self.said.append("checked")

    def _put_files(self) -> None:
        name, files = self.service.name, self.service.files
        ours = sorted(path for path, file in files.items() if not file.once)
        before = listed_files(self.machine, name)
        listing = list_path(self.machine, name)
        self.machine.put(listing, json.dumps(sorted({*ours, *before})).encode(), mode=0o600)
        standing = self.machine.files(name, files)
        for path, file in files.items():
            found = standing.get(path)
            if found is not None and file_found(found, file) == file_wanted(file, self.user):
                continue
            content = file.content.reveal() if isinstance(file.content, Secret) else file.content
            self.machine.put(self.machine.folder(name) / path, content, mode=file.mode, user=self.user)
            self.said.append(f"{path} written")
        for path in sorted({*before} - {*files}):
            self.machine.discard(self.machine.folder(name) / path)
            self.said.append(f"{path} removed")
        self.machine.put(listing, json.dumps(ours).encode(), mode=0o600)

    def _start(self, digest: str) -> None:
        """Whatever runs of it otherwise is stopped by that."""
        program = Program(
            name=self.service.name,
            argv=self.service.command,
            environment=self.service.environment,
            user=self.user,
            digest=digest + UNSEEN if self.service.ready else digest,
            stop_timeout=self.service.stop_timeout,
        )
        running = self.machine.start(program)
        self.said.append(f"started as pid {running.pid}")

    def _reload(self) -> None:
        if isinstance(self.service.reload, str):
            self.machine.signal(self.service.name, signal.Signals[f"SIG{self.service.reload}"])
            self.said.append(f"reloaded by SIG{self.service.reload}")
        elif self.service.reload is not None:
            self.machine.execute(
                self.service.reload,
                cwd=self.machine.folder(self.service.name),
                environment=self.service.environment,
            )
            self.said.append(f"reloaded by `{' '.join(self.service.reload)}`")

    def _wait(self) -> None:
        interfaces = self.scope.of("machine", Machines).by_name[self.machine.name].interfaces
        addresses = [str(address.ip) for each in interfaces for address in each.addresses]
        try:
            wait_until_ready(self.machine, self.service, addresses, self.host.clock)
        except LbkitError:
            # so that the next plan sees that it is not well, though it runs
            if (running := self.machine.running().get(self.service.name)) is not None:
                self.machine.reloaded(self.service.name, stale(running.digest))
            raise
        self.said.append("ready")

    @property
    def _where(self) -> str:
        return f"service {self.machine.name}/{self.service.name}"
