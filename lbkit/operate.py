"""The whole way of a topology, for every face: load, observe, plan, apply, destroy, status, hold, release."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import FileFailure
from lbkit.base.host import Host
from lbkit.base.lock import locked
from lbkit.base.problems import near
from lbkit.engine import agreed as agreement
from lbkit.engine import hold_plan, holding
from lbkit.engine.agreed import Agreed, Keeper
from lbkit.engine.applying import NotAsDeclared, PlanChanged, Result, Watcher, carry_out
from lbkit.engine.change import Action
from lbkit.engine.events import Events
from lbkit.engine.hold_plan import WantedHold
from lbkit.engine.holding import Enacted
from lbkit.engine.holds import Hold, Holds, read_holds, write_holds
from lbkit.engine.journal import Journal, PassingJournal
from lbkit.engine.plan import Plan
from lbkit.engine.planning import make_plan
from lbkit.engine.resource import Actual, Key
from lbkit.engine.scope import Scope
from lbkit.engine.selecting import chooser, resources, rooms_of, rows_of, unseen_of
from lbkit.engine.traffic import Traffic
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
    scope, _ = with_holds(scope, host)
    return [have for room in rooms() for have in room.observe(scope, host)]


def plan(
    scope: Scope,
    host: Host | None = None,
    *,
    absent: bool = False,
    adopt: Collection[Key] = (),
    only: Collection[str] = (),
    anew: Collection[str] = (),
) -> Plan:
    """The changes that `apply` would make now; with `absent` those of `destroy`. Changes nothing.

    `only` are things of the language ("network/front", "machine/web", "load_balancer/shop", "mirror/debian", "zone/example.test") and
    resources ("service/web-1/app"), or patterns of KIND or KIND/NAME ("machine/web-*"): the changes of what they name, and those that
    these need. Mistake where one names nothing that is declared, or that the plan is about.

    With `absent` the deletes of what they name, and of what lives and dies with that; StillNeeded where something else that stands
    needs it. A name of nothing is no mistake then, but a word that names no kind of thing.

    `anew` names machines that are to be replaced, whatever they are like.
    """
    host = host or Host()
    scope, held = (scope, Holds()) if absent else with_holds(scope, host)
    share = chooser(rooms(), scope, host, only, absent=absent, adopt=adopt)
    return share(_plan(scope, held, host, absent=absent, adopt=adopt, anew=anew, partly=bool(only)))


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
    prove: bool = False,
    prove_rate: float | None = None,
    only: Collection[str] = (),
    anew: Collection[str] = (),
    keeper: Keeper | None = None,
    on_agreed: Callable[[], None] | None = None,
) -> Result:
    """Make the world as declared (with `absent`: leave nothing of it), holding the topology's lock.

    The plan is made anew under the lock. Where `promised` is given (what a person agreed to) and the new plan
    differs from it, nothing is done and PlanChanged says so. `lock_timeout` is in seconds. At the end of an
    apply the world is looked at once more: NotAsDeclared where there is something left to do.

    With `prove`, steady requests go to all that the topology promises while there is something done
    (`prove_rate` a second for each target; None: 50), and the result has the proof: ProofFailed where one was lost.

    What a person applies is what a `keeper` keeps up from then on: it carries out its share of the plan, and of
    nothing else than what was applied last (AgreedOtherwise). `promised` is then that share. `only` and `anew` as for `plan`: a part
    that is applied, or removed, is no agreement to the rest; where nothing is left of the topology, its folder goes too.

    `on_agreed` is called under the lock, once it is noted what was agreed to and before anything is touched; where it raises,
    nothing was done, and what was agreed to before counts.
    """
    host = host or Host()
    folder = host.folder(scope.name)
    share = keeper.share if keeper else chooser(rooms(), scope, host, only, absent=absent, adopt=adopt)
    with alone(scope, host, lock_timeout):
        if keeper is not None:
            agreement.check(folder, keeper.digest, scope)
        # once for all of it: a hold that ends while the apply goes on is the next one's
        scope, held = (scope, Holds()) if absent else with_holds(scope, host)
        whole = _plan(scope, held, host, absent=absent, adopt=adopt, anew=anew, partly=bool(only))
        now = share(whole)
        if promised is not None and now.as_data() != promised.as_data():
            raise PlanChanged(promised, now)
        nothing_left = (
            absent and len(now.changes) == len(whole.changes) and not unseen_of(rooms(), scope, host)
        )
        if nothing_left:
            agreement.forget(folder)
        elif keeper is None and not only and not absent:
            with agreement.taken_back(folder):
                agreement.agree(folder, digest(scope, host), scope, host.clock.now(), anew=bool(now))
                if on_agreed is not None:
                    on_agreed()
        if not now:
            result = Result(now, (), (), 0.0)
        else:
            by = keeper.by if keeper else ""
            journal = (PassingJournal if absent else Journal)(folder / "journal.jsonl", host.clock, by)

            def act(watch: Watcher) -> Result:
                result = carry_out(now, rooms(), scope, host, journal=journal, watch=watch)
                # after a destroy there may be nobody left to ask: each removal has been read back
                if not absent and (left := share(_plan(scope, held, host, adopt=adopt, partly=bool(only)))):
                    raise NotAsDeclared(result, left)
                return result

            if prove and not absent:
                result = _proved(act, now, scope, host, journal=journal, watch=watch, rate=prove_rate)
            else:
                result = act(watch)
        if held.expired:
            write_holds(folder, Holds(held.in_force))
        if not absent and not only and len(now.changes) == len(whole.changes):
            agreement.end(folder)
        if nothing_left:
            _remove_folder(folder)
    if nothing_left:
        _remove_if_empty(host.run_dir)
    return result


def _proved(
    act: Callable[[Watcher], Result],
    plan: Plan,
    scope: Scope,
    host: Host,
    *,
    journal: Journal,
    watch: Watcher,
    rate: float | None,
) -> Result:
    from lbkit.prove import proving  # noqa: PLC0415 - for those who want a proof

    promises = (promise for room in rooms() for promise in room.promises(scope, host))
    return proving.proved(
        act, promises, plan, scope, host, journal=journal, watch=watch, rate=rate or proving.RATE
    )


def destroy(
    scope: Scope,
    host: Host | None = None,
    *,
    promised: Plan | None = None,
    lock_timeout: float = 0.0,
    watch: Watcher = _silent,
    only: Collection[str] = (),
) -> Result:
    """Leave nothing behind that the topology owns: no namespace, link, process, record or file. With `only` nothing of that part."""
    return apply(
        scope, host, promised=promised, absent=True, lock_timeout=lock_timeout, watch=watch, only=only
    )


def digest(scope: Scope, host: Host | None = None) -> str:
    """Of all that `scope` declares, with the contents of its files; the same for the same. Pure."""
    return agreement.digest_of(rooms(), scope, host or Host())


def agreed(topology: str, host: Host | None = None) -> Agreed | None:
    """What a person applied last of the topology of that name; None where nothing, or it was destroyed."""
    return agreement.read_agreed((host or Host()).folder(topology))


def events(scope: Scope, host: Host | None = None) -> dict[str, AbstractContextManager[Events]]:
    """What tells at once of changes, by name, where a room can; each is to be entered."""
    host = host or Host()
    return {name: source for room in rooms() for name, source in room.events(scope, host).items()}


def alarms(scope: Scope, host: Host | None = None) -> dict[str, str]:
    """What a person is to know of now, in words, by the thing that it is of: no apply mends it."""
    host = host or Host()
    return {thing: words for room in rooms() for thing, words in room.alarms(scope, host).items()}


def status(scope: Scope, host: Host | None = None, *, only: Collection[str] = ()) -> list[Status]:
    """How all that is declared is, or what `only` names of it as for `plan`; only rooms that have such are asked then."""
    host = host or Host()
    scope, _ = with_holds(scope, host)
    asked = rooms_of(rooms(), only) if only else rooms()
    rows = [row for room in asked for row in room.status(scope, host)]
    return rows_of(asked, scope, rows, only) if only else rows


def sample(scope: Scope, host: Host | None = None) -> Traffic:
    """The counters of all that carries traffic, as they are now; `engine.traffic.flows` makes rates of two."""
    host = host or Host()
    return sum((room.sample(scope, host) for room in rooms()), Traffic())


def picture(scope: Scope) -> Picture:
    return sum((room.picture(scope) for room in rooms()), Picture())


def explain(scope: Scope, path: str, host: Host | None = None) -> list[Finding]:
    """Evidence on what `path` names ("shop/web/web-3": load balancer, backend, server). Changes nothing."""
    host = host or Host()
    scope, _ = with_holds(scope, host)
    parts = [part for part in path.split("/") if part]
    answers = [room.explain(scope, host, parts) for room in rooms()] if parts else []
    if all(answer is None for answer in answers):
        known = [name for room in rooms() for name in room.explainable(scope)]
        raise Mistake(
            f"{path!r} was to be explained",
            found=f"nothing of that name in {scope.file}",
            remedy=near(path, known) or "`lbkit status` lists what there is",
        )
    held = scope.holds.get("/".join(parts))
    said = [Finding(None, f"it is {held}", f"since {held.since}")] if held else []
    return said + [finding for answer in answers for finding in answer or ()]


def holds(scope: Scope, host: Host | None = None) -> list[Hold]:
    """Those in force, by path."""
    return list(with_holds(scope, host or Host())[1].in_force.values())


def hold(
    scope: Scope,
    path: str,
    *,
    reason: str,
    until: datetime | None = None,
    by: str = "",
    host: Host | None = None,
    lock_timeout: float = 0.0,
) -> Enacted:
    """Take a server ("shop/web/web-3") out of use now, and keep every apply from putting it back before `until`.

    Nothing else that the topology's file may want is carried out. `until` has a time zone; None: until released.
    Where what runs would not do it (Failure), the hold stands, and the next apply carries it out.
    """
    host = host or Host()
    made = holding.new(rooms(), scope, host, path, reason=reason, by=by, until=until)
    with alone(scope, host, lock_timeout):
        return holding.hold(rooms(), scope, host, made)


def release(
    scope: Scope, path: str, *, by: str = "", host: Host | None = None, lock_timeout: float = 0.0
) -> Enacted | None:
    """End a hold: the server is back in use when this returns, where its checks pass. None: it was not held."""
    host = host or Host()
    with alone(scope, host, lock_timeout):
        return holding.release(rooms(), scope, host, path, by=by)


def plan_hold(scope: Scope, wanted: WantedHold, host: Host | None = None) -> Plan:
    """What `apply_hold` would do now: nothing where it is held, or is not, as wanted. Changes nothing."""
    return hold_plan.plan_hold(rooms(), scope, host or Host(), wanted)


def apply_hold(
    scope: Scope,
    wanted: WantedHold,
    host: Host | None = None,
    *,
    promised: Plan | None = None,
    lock_timeout: float = 0.0,
) -> tuple[Plan, tuple[Finding, ...]]:
    """As `hold` and `release`, where that is not so already; and what came of it, place by place."""
    host = host or Host()
    with alone(scope, host, lock_timeout):
        planned = hold_plan.plan_hold(rooms(), scope, host, wanted)
        if promised is not None and planned.as_data() != promised.as_data():
            raise PlanChanged(promised, planned)
        if not planned:
            return planned, ()
        if wanted.held:
            end = wanted.ends(host.clock.now())
            made = holding.new(
                rooms(), scope, host, wanted.path, reason=wanted.reason, by=wanted.by, until=end
            )
            enacted: Enacted | None = holding.hold(rooms(), scope, host, made)
        else:
            enacted = holding.release(rooms(), scope, host, wanted.path, by=wanted.by)
        return planned, enacted.done if enacted else ()


def doctor(host: Host | None = None) -> list[Check]:
    """What this host can and cannot do, before any topology: in general, and for each room. Changes nothing."""
    from lbkit.host_checks import host_checks  # noqa: PLC0415 - for this one question

    host = host or Host()
    return [*host_checks(host), *(check for room in rooms() for check in room.doctor(host))]


def _plan(
    scope: Scope,
    held: Holds,
    host: Host,
    *,
    absent: bool = False,
    adopt: Collection[Key] = (),
    anew: Collection[str] = (),
    partly: bool = False,
) -> Plan:
    replaced = dict.fromkeys(resources(rooms(), scope, host, anew), Action.REPLACE)
    plan = make_plan(rooms(), scope, host, absent=absent, adopt=adopt, anew=replaced, partly=partly)
    notes = tuple(held.notes(holding.holdable(rooms(), scope))) if held.in_force or held.expired else ()
    return replace(plan, notes=plan.notes + notes) if notes else plan


def with_holds(scope: Scope, host: Host) -> tuple[Scope, Holds]:
    """The scope as persons' holds have it now; and they."""
    held = read_holds(host.folder(scope.name), host.clock.now())
    return replace(scope, holds=held.in_force), held


def alone(scope: Scope, host: Host, timeout: float) -> AbstractContextManager[None]:
    """Nobody else changes the topology for the block, whichever face they come by. Locked after `timeout` seconds of waiting."""
    return locked(host.run_dir / f"{scope.name}.lock", host.clock, timeout=timeout)


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
