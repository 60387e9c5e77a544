"""The steps by which servers come, move, rest and go in the running process.

The order of commands is measured, on 2.6 and 3.0 (docs/haproxy-capabilities.md). `ready` out of maintenance has a
server up at once, whatever its checks would say; out of `drain` with `health down` it is down until they pass. A
check that is under way when an address changes counts for the new one.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.commands import server as to
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.adding import told
from lbkit.haproxy.transition.backend import Backend, pair
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.steps import Do, Guard, Probe, Step, UntilIdle, UntilUnchecked, UntilUp

CUT_WITHIN = 2.0  # seconds that sessions which are shut down take to be gone
NO_CONNECTIONS_WITHIN = 20.0  # seconds in which a server that is in maintenance can be deleted


def add(of: Backend, name: str) -> Iterator[Command]:
    backend, server = pair(name)
    place, *own = written.split(of.section.servers[server])
    yield to.add_server(backend, server, place, told([*of.section.defaults, *own]))
    want = of.wanted.server(name)
    if want.asked:
        yield to.enable_agent(backend, server)
    if want.admin != "maint":
        yield from out_of_maintenance(name, want, by_agent=of.by_agent(name))
    elif want.checked:
        yield to.enable_health(*pair(name))


def ready(of: Backend, name: str) -> Iterator[Command]:
    have, want = of.running.server(name), of.want(name)
    if have.admin == "maint":
        yield from out_of_maintenance(name, want, by_agent=of.by_agent(name))
        return
    if want.checked and not have.checked:
        yield to.enable_health(*pair(name))
    if want.checked and (have.unproven or not have.checked):
        yield to.set_health(*pair(name), "down")
    if not of.by_agent(name):
        yield to.set_state(*pair(name), want.admin)


def out_of_maintenance(name: str, want: Server, *, by_agent: bool = False) -> Iterator[Command]:
    """Down until its checks have passed, and then up by itself. `by_agent`: and not before its agent says `ready`."""
    if want.checked:
        yield to.enable_health(*pair(name))
        yield to.set_state(*pair(name), "drain")
        yield to.set_health(*pair(name), "down")
        if want.admin == "ready" and not by_agent:
            yield to.set_state(*pair(name), "ready")
    else:
        yield to.set_state(*pair(name), want.admin)


def readdress(of: Backend, moved: list[str]) -> Iterator[Step]:
    """Half of those in use at a time, so that the others serve; the only one after a look at its new place."""
    in_use = [name for name in moved if of.running.server(name).admin == "ready" and of.takes(name)]
    quiet = [name for name in moved if name not in set(in_use)]
    if quiet:
        yield from _move(of, quiet)
    if not in_use:
        return
    serving = [name for name in of.mine(of.wanted.servers) if of.takes(name)]
    if len(serving) == 1:
        if checked := of.checked(in_use):
            yield Probe(checked, of.timing.up, must=True)
        yield from _move(of, in_use, proven=True)
        return
    size = max(1, len(serving) // 2)
    for index in range(0, len(in_use), size):
        batch = in_use[index : index + size]
        if of.checked(batch):
            others = tuple(name for name in serving if name not in batch)
            yield Guard(of.name, tuple(batch), others, of.timing.up)
        yield from _move(of, batch)


def _move(of: Backend, names: list[str], *, proven: bool = False) -> Iterator[Step]:
    checked = of.checked(names)
    # in maintenance checks rest already; one that is disabled there rests for ever, whatever comes after
    stop = [
        to.disable_health(*pair(name))
        for name in checked
        if of.running.server(name).checked and of.running.server(name).admin != "maint"
    ]
    if stop:
        yield Do(tuple(stop))
    if checked:
        # where checks rest already, one may be under way all the same: of a transition that was cut off
        yield UntilUnchecked(checked, of.check_ends_within)
    commands = [command for name in names for command in _to_its_place(of, name, proven=proven)]
    yield Do(tuple(commands))
    awaited = of.awaited(names)
    if awaited and not proven:
        yield UntilUp(awaited, of.timing.up)


def _to_its_place(of: Backend, name: str, *, proven: bool) -> Iterator[Command]:
    """While no check of it is under way. The next one asks at the new place, as no check is begun before that."""
    have, want = of.running.server(name), of.want(name)
    address = to.set_addr(*pair(name), want.address, want.port)
    if have.admin == "maint":
        yield address
        if want.admin != "maint":
            yield from out_of_maintenance(name, want, by_agent=of.by_agent(name))
        elif want.checked:
            yield to.enable_health(*pair(name))
        return
    if want.checked and not proven and want.admin != "maint":
        yield to.set_health(*pair(name), "down")
    yield address
    if want.checked:
        yield to.enable_health(*pair(name))
    if have.admin != want.admin == "ready" and not of.by_agent(name):
        yield to.set_state(*pair(name), "ready")


def empty(of: Backend, names: list[str]) -> Iterator[Step]:
    """Weight 0: as one that leaves, but for its sessions."""
    if in_use := [name for name in names if of.running.server(name).admin == "ready"]:
        yield from _guard(of, in_use)
        yield Do(tuple(to.set_weight(*pair(name), 0) for name in in_use))


def rest(of: Backend, names: list[str], moved: frozenset[str]) -> Iterator[Step]:
    """Into drain; moved there; and into maintenance once their sessions are over."""
    in_use = [name for name in names if of.running.server(name).admin == "ready"]
    if in_use:
        yield from _guard(of, in_use)
        yield Do(tuple(to.set_state(*pair(name), "drain") for name in in_use))
    if leaving := [name for name in names if name in moved]:
        yield from _move(of, leaving)
    resting = [name for name in names if of.want(name).admin == "maint"]
    if resting:
        yield UntilIdle(tuple(resting), of.timing.drain)
        yield Do(tuple(to.set_state(*pair(name), "maint") for name in resting))
    empty = [name for name in in_use if of.want(name).weight == 0 != of.running.server(name).weight]
    if empty and of.dynamic:
        yield Do(tuple(to.set_weight(*pair(name), 0) for name in empty))


def remove(of: Backend, names: list[str]) -> Iterator[Step]:
    """Drained first, with a deadline; then what is still connected is cut, and the server deleted."""
    if not names or not of.can.delete_server:
        return
    yield from _guard(of, names)
    yield Do(tuple(to.set_state(*pair(name), "drain") for name in names))
    yield UntilIdle(tuple(names), of.timing.drain)
    # cut before maintenance: 2.6 keeps a server for a quarter of a minute whose last request ended in it
    yield Do(tuple(to.shutdown_sessions(*pair(name)) for name in names))
    yield UntilIdle(tuple(names), CUT_WITHIN)
    yield Do(tuple(to.set_state(*pair(name), "maint") for name in names))
    yield Do(tuple(to.del_server(*pair(name)) for name in names), retry=NO_CONNECTIONS_WITHIN)


def _guard(of: Backend, leaving: list[str]) -> Iterator[Step]:
    """Where nobody is to serve afterwards, that is what was asked for."""
    gone = set(leaving)
    others = tuple(name for name in of.mine(of.wanted.servers) if name not in gone and of.takes(name))
    if others:
        yield Guard(of.name, tuple(leaving), others, of.timing.up)
