"""Bring an HAProxy to the configuration that is wanted: nothing live is written before HAProxy itself has
accepted it, and a reload that fails leaves the file that still runs.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from functools import partial

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.applying import one_by_one
from lbkit.engine.change import Change
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.haproxy import retire
from lbkit.haproxy.config.paths import CONFIG, STATE_FILE
from lbkit.haproxy.instance import KIND, Instance
from lbkit.haproxy.runtime import EMPTY_STATE, Info, Workers, parse_proc, state_of
from lbkit.haproxy.text.render import digest_in
from lbkit.haproxy.transition import Running, Step, transition, unchanged_servers
from lbkit.haproxy.vip import apply as vip_apply
from lbkit.haproxy.vip.config import KIND as VIP
from lbkit.haproxy.waiting import wait_for

STARTS_WITHIN = 15.0  # seconds, until the runtime socket answers: 5,000 servers take 0.4
LEAVES_WITHIN = 5.0  # seconds that connections get when HAProxy goes for good

_ALERT = re.compile(r"\[ALERT\]\s+\(\d+\) : (?:config : )?(.*)")
_BEGIN = "haproxy version is"  # the first line of each start and reload in HAProxy's log
_FORMULA = (
    "Error(s) found in configuration file",
    "Fatal errors found in configuration",
    "[haproxy.main()] Some protocols failed to start",
)


def apply(changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
    ours = [change for change in changes if change.key.kind == KIND]
    vips = [change for change in changes if change.key.kind == VIP]
    if ours:
        one_by_one(ours, partial(carry_out, scope=scope, host=host), done)
    if vips:
        one_by_one(vips, partial(vip_apply.carry_out, scope=scope, host=host), done)
        vip_apply.wait_until_held(vips, scope, host)


def carry_out(change: Change, scope: Scope, host: Host) -> str:
    """One HAProxy as wanted, or gone. What was done, for the journal."""
    instance = Instance.of(change.key, scope, host)
    if change.want is None:
        return _remove(instance, host)
    wanted = str(change.want.state["config"])
    running = instance.look()
    way = transition(running, wanted)
    if way.step is Step.NOTHING:
        return "nothing: HAProxy runs as wanted"
    _validate(instance, wanted)
    if way.step is Step.WRITE:
        instance.put(CONFIG, wanted)
        return f"wrote {CONFIG}"
    if way.step is Step.RELOAD:
        return _reload(instance, running, wanted, host)
    return _start(instance, wanted, host)


def _validate(instance: Instance, text: str) -> None:
    files = {CONFIG: (text.encode(), 0o640), STATE_FILE: (EMPTY_STATE.encode(), 0o640)}
    done = instance.machine.rehearse(instance.service, ("haproxy", "-c", "-f", CONFIG), files)
    if done.returncode != 0:
        raise Failure(
            "HAProxy was to accept its configuration",
            found=alerts(done.stderr.splitlines()) or f"exit code {done.returncode}",
            where=instance.where,
            remedy="nothing of it was changed; mend what HAProxy names",
        )


def _start(instance: Instance, wanted: str, host: Host) -> str:
    instance.machine.stop(instance.service)  # one that does not answer, and strays
    instance.put(STATE_FILE, EMPTY_STATE)  # what was known before may be long past
    instance.put(CONFIG, wanted)
    instance.machine.start(instance.program)

    def served() -> Info | Failure | None:
        info = _answer(instance)
        if info is not None and _workers(instance) is not None:  # the master may be later than its worker
            return info
        if instance.service in instance.machine.running():
            return None
        return Failure(
            "HAProxy was to run",
            found=_last_words(instance) or "it ended and said nothing",
            where=instance.where,
            remedy="mend what HAProxy names, then apply again",
        )

    info = wait_for(host.clock, STARTS_WITHIN, served)
    if isinstance(info, Failure):
        raise info
    if info is None:
        raise Failure(
            "HAProxy was to answer at its runtime socket",
            found=f"no answer in {STARTS_WITHIN:g} s",
            where=instance.where,
            remedy=f"read {instance.path('log')}",
        )
    return f"checked, wrote {CONFIG}, started {' '.join(instance.program.argv)}"


def _reload(instance: Instance, running: Running, wanted: str, host: Host) -> str:
    """Check (done), take traffic off what goes, write state and file, reload, and see the new worker serve."""
    known = wait_for(host.clock, STARTS_WITHIN, partial(_workers, instance))
    if known is None:
        raise Failure(
            "HAProxy's master process was to answer at its socket",
            found=f"no answer in {STARTS_WITHIN:g} s",
            where=instance.where,
            remedy=f"nothing was changed; read {instance.path('log')}, or stop HAProxy: the next apply starts it",
        )
    believed = running.text if running.text and running.loaded == digest_in(running.text) else ""
    with instance.runtime() as runtime:
        before = runtime.info()
        resting = retire.rest(runtime, believed, wanted, host.clock)
        dump = runtime.servers_state()
    instance.put(STATE_FILE, state_of(dump, unchanged_servers(believed, wanted)))
    instance.put(CONFIG, wanted)
    said = instance.master("reload")

    def served() -> Info | str | None:
        workers = _workers(instance)  # the master does not answer while it executes itself anew
        if workers is None:
            return None
        if workers.failed > known.failed:
            return "failed"
        info = _answer(instance)
        loaded = info is not None and info.pid != before.pid and info.digest == digest_in(wanted)
        return info if loaded else None

    new = "failed" if "Success=0" in said else wait_for(host.clock, STARTS_WITHIN, served)
    if not isinstance(new, Info):
        words = _last_words(instance) or f"no new worker in {STARTS_WITHIN:g} s"
        _roll_back(instance, running, resting)
        raise Failure(
            "HAProxy was to load its new configuration",
            found=words,
            where=instance.where,
            remedy="the process before serves on, and its file is back; mend what HAProxy names, then apply again",
        )
    return f"checked, wrote {CONFIG}, reloaded: worker {before.pid} -> {new.pid}"


def _roll_back(instance: Instance, running: Running, resting: retire.Resting) -> None:
    if running.text is None:
        instance.machine.discard(instance.path(CONFIG))
    else:
        instance.put(CONFIG, running.text)
    with instance.runtime() as runtime:
        retire.wake(runtime, resting)


def _remove(instance: Instance, host: Host) -> str:
    """Listen no more, let connections end for a while, then stop."""
    on, service = instance.machine, instance.service
    if service in on.running():
        on.signal(service, signal.SIGUSR1)
        wait_for(host.clock, LEAVES_WITHIN, lambda: None if service in on.running() else True, every=0.05)
    on.stop(service)
    on.remove(service)
    return "stopped HAProxy, removed its files"


def _answer(instance: Instance) -> Info | None:
    try:
        with instance.runtime(timeout=2.0) as runtime:
            return runtime.info()
    except Failure:
        return None


def _workers(instance: Instance) -> Workers | None:
    """What the master process says; None while it does not answer."""
    try:
        found = parse_proc(instance.master("show proc"))
    except Failure:
        return None
    return found if found.current or found.old else None


def _last_words(instance: Instance) -> str:
    """HAProxy's alerts since it last began, from its log."""
    lines = list(instance.machine.log(instance.service, lines=30))
    begins = [index for index, line in enumerate(lines) if _BEGIN in line]
    return alerts(lines[begins[-1] :] if begins else lines)


def alerts(lines: Sequence[str]) -> str:
    """What HAProxy was alarmed about, without the formulas around it."""
    found = [match[1].strip() for line in lines if (match := _ALERT.search(line))]
    said = [words for words in found if not words.startswith(_FORMULA)]
    return "; ".join(dict.fromkeys(said or found))
