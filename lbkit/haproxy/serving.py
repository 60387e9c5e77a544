"""Which certificates the HAProxys of a topology serve now, and until when: by their runtime sockets, and by a client's handshake.

Reads only. Public as `lbkit.served_certificates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.haproxy.config.tls import certificate_path, used
from lbkit.haproxy.has import facts, loaded, validity
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.presented import KINDS, shown
from lbkit.haproxy.promises import NO_PROXY
from lbkit.haproxy.resolved import LoadBalancers, ResolvedBind, ResolvedLoadBalancer
from lbkit.haproxy.resolved_tls import ResolvedCertificate
from lbkit.haproxy.runtime.certificates import Certificate
from lbkit.machine.handle import machine
from lbkit.machine.resolved import Machines

_PATIENCE = 5.0  # seconds of silence


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client gets that asks this machine for `server_name`. `trouble`: why nothing is known of it."""

    address: str
    port: int
    server_name: str
    certificate: Mapping[str, Any] | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """One certificate on one machine. `declared` is what its files have now, `served` what HAProxy has (None: nothing; `trouble`: why).

    `shown`: of each bind that has it and that can be reached there.
    """

    load_balancer: str
    name: str
    machine: str
    declared: Mapping[str, Any]
    served: Mapping[str, Any] | None
    trouble: str
    shown: tuple[Shown, ...]

    @property
    def current(self) -> bool:
        """Whether clients get what the files have, as far as anybody could ask."""
        sha1 = self.declared["sha1"]
        return (
            self.served is not None
            and self.served["sha1"] == sha1
            and all(each.certificate is not None and each.certificate["sha1"] == sha1 for each in self.shown)
        )

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "current": self.current}


def served_certificates(scope: Scope, host: Host | None = None) -> list[Served]:
    """Of each load balancer, each certificate that is used, on each of its machines."""
    host = host or Host()
    now = host.clock.now()
    balancers = scope.of("haproxy", LoadBalancers).by_name.values()
    return [
        each
        for balancer in balancers
        if balancer.certificates
        for member in balancer.members
        for each in _on(balancer, member, scope, host, now)
    ]


def _on(
    balancer: ResolvedLoadBalancer, member: str, scope: Scope, host: Host, now: datetime
) -> Iterator[Served]:
    instance = Instance(machine(scope, host, member), balancer.name)
    found: dict[str, Certificate] = {}
    trouble = ""
    try:
        with instance.runtime(timeout=_PATIENCE) as runtime:
            found = {each.file: each for each in loaded(runtime, instance.where)}
    except Failure as error:
        trouble = error.found or error.wanted
    for name in used(balancer)[0]:
        one, has = balancer.certificates[name], found.get(certificate_path(name))
        yield Served(
            balancer.name,
            name,
            member,
            {
                "sha1": one.fingerprint,
                "names": list(one.names),
                "files": list(map(str, one.files)),
                **validity(one.not_before, one.not_after, now),
            },
            facts(has, now) if has is not None else None,
            trouble or ("" if has is not None else "it is not loaded"),
            tuple(_shown(balancer, one, instance, scope, now)) if has is not None else (),
        )


def _shown(
    balancer: ResolvedLoadBalancer, one: ResolvedCertificate, instance: Instance, scope: Scope, now: datetime
) -> Iterator[Shown]:
    for frontend in balancer.frontends:
        for bind in frontend.binds:
            if bind.tls is None or one.name not in bind.tls.certificates:
                continue
            address = _address(bind, instance.machine.name, scope)
            if address is None or not one.answers:
                continue
            name = one.answers[0].replace("*", "asked-by-lbkit", 1)  # no certificate is for that alone
            kind = _kind(balancer, bind, one)
            preamble = NO_PROXY if bind.accept_proxy else b""
            try:
                dialled = instance.machine.dial(address, bind.port, timeout=_PATIENCE)
                yield Shown(address, bind.port, name, shown(dialled, name, now, kind=kind, preamble=preamble))
            except Failure as error:
                yield Shown(address, bind.port, name, None, error.found or error.wanted)
            except OSError as error:
                yield Shown(address, bind.port, name, None, error.strerror or str(error))


def _address(bind: ResolvedBind, member: str, scope: Scope) -> str | None:
    """Where that very machine is asked; None: at a virtual address, where another may answer."""
    if bind.address is None or bind.address.is_unspecified:
        return "127.0.0.1" if bind.address is None or bind.address.version == 4 else "::1"
    links = scope.of("machine", Machines).by_name[member].interfaces
    own = {interface.ip for link in links for interface in link.addresses}
    return str(bind.address) if bind.address.is_loopback or bind.address in own else None


def _kind(balancer: ResolvedLoadBalancer, bind: ResolvedBind, one: ResolvedCertificate) -> str | None:
    """Of what key a client must want it, where the bind has another for the same name."""
    others = (balancer.certificates[name] for name in (bind.tls.certificates if bind.tls else ()))
    twins = any(each.name != one.name and each.answers[:1] == one.answers[:1] for each in others)
    return one.kind if twins and one.kind in KINDS else None
