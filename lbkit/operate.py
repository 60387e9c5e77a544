"""The whole way of a topology, for every face: load, observe, plan, apply, destroy, status."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import FileFailure
from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.base.problems import near
from lbkit.engine.applying import NotAsDeclared, PlanChanged, Result, Watcher, carry_out
from lbkit.engine.journal import Journal, PassingJournal
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Actual, Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Check, Finding, Picture, Status
from lbkit.topology.register import rooms


def load(source: str | Path) -> Scope:
    """Read and check a topology file. InvalidDocument has every mistake in it, with file:line."""
    from lbkit.topology.load import load_file  # noqa: PLC0415 - pydantic models of every room: only when needed

    return load_file(Path(source))


def load_data(data: object, folder: str | Path) -> Scope:
    """Check a topology that a program has as data. Relative paths in it start in `folder`."""
    from lbkit.topology import load  # noqa: PLC0415 - pydantic models of every room: only when needed

    return load.load_data(data, Path(folder))


def observe(scope: Scope, host: Host | None = None) -> list[Actual]:
    """What stands of the topology, and what foreign things stand on its names. Changes nothing."""
    host = host or Host()
    return [have for room in rooms() for have in room.observe(scope, host)]


def plan(
    scope: Scope, host: Host | None = None, *, absent: bool = False, adopt: Collection[Key] = ()
) -> Plan:
    """The changes that `apply` would make now; with `absent` those of `destroy`. Changes nothing."""
    return make_plan(rooms(), scope, host or Host(), absent=absent, adopt=adopt)


def _silent(_event: object) -> None:
    pass


def apply(
    scope: Scope,
    host: Host | None = None,
    *,
    promised: Plan | None = None,
    absent: bool = False,
    adopt: Collection[Key] = (),
    lock_timeout: float = 0.0,
    watch: Watcher = _silent,
) -> Result:
    """Make the world as declared (with `absent`: leave nothing of it), holding the topology's lock.

    The plan is made anew under the lock. Where `promised` is given (what a person agreed to) and the new plan
    differs from it, nothing is done and PlanChanged says so. `lock_timeout` is in seconds. At the end of an
    apply the world is looked at once more: NotAsDeclared where there is something left to do.
    """
    host = host or Host()
    folder = host.folder(scope.name)
    with locked(host.run_dir / f"{scope.name}.lock", host.clock, timeout=lock_timeout):
        now = plan(scope, host, absent=absent, adopt=adopt)
        if promised is not None and now.as_data() != promised.as_data():
            raise PlanChanged(promised, now)
        if not now:
            result = Result(now, (), (), 0.0)
        else:
            journal = (PassingJournal if absent else Journal)(folder / "journal.jsonl", host.clock)
            result = carry_out(now, rooms(), scope, host, journal=journal, watch=watch)
            # after a destroy there may be nobody left to ask: each removal has been read back
            if not absent and (left := plan(scope, host, adopt=adopt)):
                raise NotAsDeclared(result, left)
        if absent:
            _remove_folder(folder)
    if absent:
        _remove_if_empty(host.run_dir)
    return result


def destroy(
    scope: Scope,
    host: Host | None = None,
    *,
    promised: Plan | None = None,
    lock_timeout: float = 0.0,
    watch: Watcher = _silent,
) -> Result:
    """Leave nothing behind that the topology owns: no namespace, link, process, record or file."""
    return apply(scope, host, promised=promised, absent=True, lock_timeout=lock_timeout, watch=watch)


def status(scope: Scope, host: Host | None = None) -> list[Status]:
    host = host or Host()
    return [row for room in rooms() for row in room.status(scope, host)]


def picture(scope: Scope) -> Picture:
    return sum((room.picture(scope) for room in rooms()), Picture())


def explain(scope: Scope, path: str, host: Host | None = None) -> list[Finding]:
    """Evidence on what `path` names ("shop/web/web-3": load balancer, backend, server). Changes nothing."""
    host = host or Host()
    parts = [part for part in path.split("/") if part]
    answers = [room.explain(scope, host, parts) for room in rooms()] if parts else []
    if all(answer is None for answer in answers):
        known = [name for room in rooms() for name in room.explainable(scope)]
        raise Mistake(
            f"{path!r} was to be explained",
            found=f"nothing of that name in {scope.file}",
            remedy=near(path, known) or "`lbkit status` lists what there is",
        )
    return [finding for answer in answers for finding in answer or ()]


def doctor(host: Host | None = None) -> list[Check]:
    """What this host can and cannot do, before any topology: in general, and for each room. Changes nothing."""
    from lbkit.host_checks import host_checks  # noqa: PLC0415 - for this one question

    host = host or Host()
    return [*host_checks(host), *(check for room in rooms() for check in room.doctor(host))]


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise FileFailure("removed", folder, error) from error


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another topology lives there, or none ever did
