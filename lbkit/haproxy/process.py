"""The processes of one HAProxy: check its configuration, start it, reload it, and see that it serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure
from lbkit.haproxy.config.paths import CONFIG, STATE_FILE
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.runtime import EMPTY_STATE, Info
from lbkit.haproxy.runtime.master import alerts
from lbkit.haproxy.text.digest import digest_in
from lbkit.haproxy.transition.state import Running, Wanted
from lbkit.haproxy.waiting import wait_for

STARTS_WITHIN = 60.0  # seconds, until it answers: 5,000 servers take 0.4, an emulated guest under load 20
SETTLES_WITHIN = 15.0  # seconds, for a reload that somebody else began

_ACCEPTED = "Configuration file is valid"
_BEGIN = "haproxy version is"  # the first line of each start and reload in HAProxy's log


def check(instance: Instance, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Have HAProxy itself read the configuration with all its files, in a folder that passes."""
    state = {STATE_FILE: (EMPTY_STATE.encode(), 0o640)}
    # -V: it says so of one that it accepts. Only an HAProxy does, and what is none need not be asked first
    done = instance.machine.rehearse(
        instance.service, (instance.executable, "-c", "-V", "-f", CONFIG), {**files, **state}
    )
    if done.returncode == 0 and _ACCEPTED in done.stdout:
        return
    said = instance.machine.rehearse(instance.service, (instance.executable, "-v"), {})
    if "roxy version" not in said.stdout[:40]:  # "HA-Proxy" before 2.4
        raise Failure(
            f"`{instance.executable} -v` was to be an HAProxy",
            found=said.stdout[:80].strip() or said.stderr[:80].strip() or "it says nothing",
            where=instance.where,
            remedy="nothing was changed; mend `program` of the load balancer",
        )
    if done.returncode != 0:
        raise Failure(
            "HAProxy was to accept its configuration",
            found=alerts(done.stderr.splitlines()) or f"exit code {done.returncode}",
            where=instance.where,
            remedy="nothing of it was changed; mend what HAProxy names",
        )


def start(instance: Instance, clock: Clock) -> None:
    """Its files are in place."""
    instance.machine.stop(instance.service)  # one that does not answer, and strays
    instance.machine.start(instance.program)

    # the master executes itself anew once it has a worker, and may be later than that
    _wait_for(instance, clock, "at its runtime socket", lambda: _answer(instance))
    _wait_for(instance, clock, "at its master's socket", instance.master().workers)


def _wait_for(instance: Instance, clock: Clock, where: str, ask: Callable[[], object | None]) -> None:
    """Until it answers. Failure where it ends before, or does not in time."""

    def answered() -> object | None:
        if (answer := ask()) is not None or instance.service in instance.machine.running():
            return answer
        return Failure(
            "HAProxy was to run",
            found=_last_words(instance) or "it ended and said nothing",
            where=instance.where,
            remedy="mend what HAProxy names, then apply again",
        )

    answer = wait_for(clock, STARTS_WITHIN, answered)
    if isinstance(answer, Failure):
        raise answer
    if answer is None:
        raise Failure(
            f"HAProxy was to answer {where}",
            found=f"no answer in {STARTS_WITHIN:g} s",
            where=instance.where,
            remedy=f"read {instance.path('log')}",
        )


def settle(instance: Instance, clock: Clock) -> None:
    """Where somebody began a reload and did not wait for its end, wait for it: what a worker that is being replaced
    says is old, and what it is told is lost. Changes nothing.
    """

    def settled() -> bool | None:
        info = _answer(instance)
        if info is None:
            return True  # who looks next says so
        workers = instance.master().workers()
        if workers is None:  # it executes itself anew
            return None
        # after a reload that failed there are none but those from before
        return True if info.pid in (workers.current or workers.old) else None

    wait_for(clock, SETTLES_WITHIN, settled)


def reload(instance: Instance, running: Running, wanted: Wanted, clock: Clock) -> str:
    """Have the master load what lies on disk. The new worker serves when this returns, in words; else the file from
    before is back, and HAProxy's own words are in the Failure.
    """
    known = wait_for(clock, STARTS_WITHIN, instance.master().workers)
    if known is None:
        _put_back(instance, running)
        raise Failure(
            "HAProxy's master process was to answer at its socket",
            found=f"no answer in {STARTS_WITHIN:g} s",
            where=instance.where,
            remedy=f"read {instance.path('log')}, or stop HAProxy: the next apply starts it",
        )
    with instance.runtime() as runtime:
        before = runtime.info().pid

    def served() -> Info | None:
        info = _answer(instance)
        return info if info is not None and info.digest == digest_in(wanted.text) else None

    loaded = instance.master(timeout=STARTS_WITHIN).reload(known, before, served, clock, STARTS_WITHIN)
    if loaded.worker is None:
        words = loaded.words or _last_words(instance) or f"no new worker in {STARTS_WITHIN:g} s"
        _put_back(instance, running)
        raise Failure(
            "HAProxy was to load its new configuration",
            found=words,
            where=instance.where,
            remedy="the process before serves on, and its file is back; mend what HAProxy names, then apply again",
        )
    return f"worker {before} -> {loaded.worker.pid}"


def alone(instance: Instance, clock: Clock, seconds: float) -> bool:
    """Whether the worker that serves is the only one, within so many seconds."""

    def left() -> bool | None:
        workers = instance.master().workers()
        return True if workers is not None and not workers.old else None

    return wait_for(clock, seconds, left, every=0.05) is not None


def remove(instance: Instance) -> None:
    """Listen no more, let connections end for a while, then stop; and leave no file."""
    instance.machine.drain(instance.service)
    instance.machine.remove(instance.service)


def _put_back(instance: Instance, running: Running) -> None:
    if running.text is None:
        instance.machine.discard(instance.path(CONFIG))
    else:
        instance.put(CONFIG, running.text.encode())


def _answer(instance: Instance) -> Info | None:
    try:
        with instance.runtime(timeout=5.0) as runtime:
            return runtime.info()
    except Failure:
        return None


def _last_words(instance: Instance) -> str:
    """HAProxy's alerts since it last began, from its log."""
    lines = list(instance.machine.log(instance.service, lines=30))
    begins = [index for index, line in enumerate(lines) if _BEGIN in line]
    return alerts(lines[begins[-1] :] if begins else lines)
