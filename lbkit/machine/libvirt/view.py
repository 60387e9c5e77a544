"""Evidence on one virtual machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbkit.engine.view import Finding
from lbkit.machine.libvirt.fleet import Generation
from lbkit.machine.libvirt.plan import told_addresses
from lbkit.machine.resolved import ResolvedMachine


def findings(machine: ResolvedMachine, generations: Sequence[Generation]) -> Iterable[Finding]:
    if not generations:
        yield Finding(False, "no domain of it stands", "`lbkit apply` makes it")
        return
    newest = generations[-1]
    domain = newest.domain
    state = ": ".join(part for part in (domain.state, domain.reason) if part)
    yield Finding(
        newest.runs,
        f"domain {domain.name} {'runs' if newest.runs else f'is {state}'}",
        f"generation {newest.number}, on host {newest.host.name}, {domain.accelerator}",
    )
    for older in generations[:-1]:
        yield Finding(False, f"beside it stands {older.domain.name}", "`lbkit apply` removes it")
    if not newest.runs:
        return
    if newest.boots:
        yield Finding(None, "its guest boots", f"started at {domain.started}, and does not answer yet")
        return
    if newest.hello is None:
        yield Finding(False, "its guest does not answer", newest.silence)
        return
    yield Finding(True, "its guest answers", f"program {newest.hello.program[:12]}, as {newest.hello.member}")
    by_mac = {each.mac: each for each in domain.interfaces}
    for wanted in machine.interfaces:
        found = by_mac.get(wanted.mac.lower())
        if found is None:
            yield Finding(False, f"interface {wanted.network} is missing", wanted.mac)
            continue
        addresses = told_addresses(newest.inside, wanted.network)
        missing = sorted(set(map(str, wanted.addresses)) - set(addresses))
        good = found.link_up and not missing
        trouble = "its link is down" if not found.link_up else f"without {', '.join(missing)}"
        yield Finding(
            good,
            f"interface {wanted.network} {'is up' if good else trouble}",
            f"{', '.join(addresses)}, port of {found.bridge}",
        )
