"""What stands of virtual addresses: keepalived's file and what its process has loaded; and who holds the address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.resource import Actual, Key
from lbkit.engine.scope import Scope
from lbkit.haproxy.instance import key_of
from lbkit.haproxy.resolved import LoadBalancers, ResolvedVip, vip_program_name
from lbkit.haproxy.vip.config import CONFIG, KIND, WATCH
from lbkit.machine.contract import Machine, Process
from lbkit.machine.handle import machine
from lbkit.machine.trust import looking


def observe(scope: Scope, host: Host, started: Mapping[str, Mapping[str, Process]]) -> Iterator[Actual]:
    for key in sorted(_keys(scope, started)):
        member, _, balancer = key.name.partition("/")
        service = vip_program_name(balancer)
        process = started.get(member, {}).get(service)
        with looking(scope, host, member):
            files = machine(scope, host, member).files(service, [CONFIG, WATCH])
        if not files and process is None:
            continue
        config, script = files.get(CONFIG), files.get(WATCH)
        text = config.content.decode(errors="replace") if config else None
        alive = process is not None and not process.trouble
        yield Actual(
            key,
            {
                "config": text,
                "script": hashlib.sha256(script.content).hexdigest()[:32] if script else None,
                "alive": alive,
                "loaded": process.program.digest if alive and process and process.program else None,
            },
            scope.name,
            requires=frozenset({Key("machine", member), key_of("haproxy", member, balancer)}),
            claims=claims(text or ""),
            within=Key("machine", member),
        )


def claims(text: str) -> frozenset[str]:
    """The addresses that a keepalived.conf gives a machine: in order with whoever had them before."""
    found = (line.split() for line in text.splitlines() if " dev " in line)
    return frozenset(
        f"address {words[2]} {words[0].partition('/')[0]}"
        for words in found
        if len(words) >= 3 and words[1] == "dev"
    )


def holds(on: Machine, network: str, addresses: tuple[IPAddress, ...]) -> bool:
    """Whether the machine has all of the addresses now."""
    return set(addresses) <= set(on.addresses(network))


def first_holder(machines: Iterable[Machine], vip: ResolvedVip) -> Machine | None:
    return next((on for on in machines if holds(on, vip.network, vip.addresses)), None)


def _keys(scope: Scope, started: Mapping[str, Mapping[str, Process]]) -> set[Key]:
    declared = {
        key_of(KIND, member, balancer.name)
        for balancer in scope.of("haproxy", LoadBalancers).by_name.values()
        if balancer.vip is not None
        for member in balancer.members
    }
    prefix = vip_program_name("")
    return declared | {
        key_of(KIND, member, name.removeprefix(prefix))
        for member, services in started.items()
        for name, process in services.items()
        if process.kind == KIND and name.startswith(prefix)
    }
