"""Start, reload and stop keepalived; the address is somebody's when an apply is over."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from functools import partial

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.change import Change
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import machines_of
from lbkit.haproxy.resolved import LoadBalancers, vip_program_name
from lbkit.haproxy.vip.config import (
    CONFIG,
    KIND,
    STATE,
    WATCH,
    loaded_digest,
    program_of,
    script_digest,
    watch_script,
)
from lbkit.haproxy.vip.observe import first_holder
from lbkit.haproxy.vip.serving import wait_until_serving
from lbkit.haproxy.waiting import wait_for
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine
from lbkit.machine.trust import removed

ELECTED_WITHIN = 30.0  # seconds, beyond the intervals that an election takes


def carry_out(change: Change, scope: Scope, host: Host, done: Done) -> str:
    """Make one machine's keepalived as wanted, or none. What was done, for the journal."""
    member, _, balancer = change.key.name.partition("/")
    on = machine(scope, host, member)
    service = vip_program_name(balancer)
    if change.want is None:

        def remove() -> None:
            on.stop(service)
            on.remove(service)

        return removed(scope, host, member, remove, "stopped keepalived, removed its files")

    def before_start() -> None:
        declared = scope.of("haproxy", LoadBalancers).by_name[balancer]
        if note := wait_until_serving(on, declared, scope, host):
            done.note(change, note)

    return _make(on, service, balancer, str(change.want.state["config"]), before_start)


def _make(on: Machine, service: str, balancer: str, text: str, before_start: Callable[[], None]) -> str:
    where = f"{KIND} {on.name}/{balancer}"
    script = watch_script()
    wanted = loaded_digest(text, script_digest())
    program = program_of(balancer, wanted)
    _check(on, service, text, where)
    folder = on.folder(service)
    had = on.fetch(folder / WATCH)
    before = on.running().get(service)
    on.put(folder / WATCH, script)
    on.put(folder / CONFIG, text.encode(), mode=0o640)
    if before is None or had != script:
        before_start()
        on.start(program)  # one that runs by another digest is stopped first
        return f"started {' '.join(program.argv)}"
    if before.digest == wanted:
        return "nothing: keepalived runs as wanted"
    on.signal(service, signal.SIGHUP)
    on.reloaded(service, wanted)
    return "wrote keepalived.conf, SIGHUP"


def _check(on: Machine, service: str, text: str, where: str) -> None:
    files = {CONFIG: (text.encode(), 0o640), STATE: (b"0\n", 0o644)}
    done = on.rehearse(service, ("keepalived", "-t", "-f", CONFIG), files)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).replace("\n", "; ")[-1000:]
        raise Failure(
            "keepalived was to accept its configuration",
            found=f"exit code {done.returncode}: {said}",
            where=where,
            remedy="nothing of it was changed; mend what keepalived names",
        )


def wait_until_held(changes: Sequence[Change], scope: Scope, host: Host) -> None:
    """After keepalived was started somewhere: until some machine has each load balancer's address."""
    touched = {change.key.name.partition("/")[2] for change in changes if change.want is not None}
    for name in sorted(touched):
        balancer = scope.of("haproxy", LoadBalancers).by_name[name]
        vip = balancer.vip
        if vip is None:
            continue
        service = vip_program_name(name)
        members = machines_of(balancer.members, scope, host)
        machines = [on for on in members if service in on.running()]  # others are perhaps yet to be made
        holder = partial(first_holder, machines, vip)
        if wait_for(host.clock, ELECTED_WITHIN + 4 * vip.interval, holder, every=0.1) is None:
            said = "; ".join(f"{on.name}: {line}" for on in machines for line in on.log(service, lines=2))
            raise Failure(
                f"a machine was to hold the virtual address of load_balancers.{name}",
                found=f"none does; keepalived says: {said}",
                where=f"load_balancers.{name}.vip",
                remedy=f"`lbkit explain {name}` says which HAProxy answers",
            )
