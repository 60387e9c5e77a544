"""Ask servers what their health check asks, from the machine that HAProxy runs on, before HAProxy itself does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from lbkit.haproxy.resolved import ResolvedBackend, ResolvedLoadBalancer
from lbkit.haproxy.spec.tls import SYSTEM, ServerTls
from lbkit.haproxy.transition.steps import Names
from lbkit.health.asking import Traffic, question_of
from lbkit.health.outcome import Target
from lbkit.health.question import ServerTls as ProbeTls
from lbkit.machine.contract import Machine


@dataclass(frozen=True, slots=True)
class Passed:
    """`up`: who passed. `words`: what came of the others, in HAProxy's short names."""

    up: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prober:
    """For one HAProxy. Called with servers as "BACKEND/SERVER", and the seconds in which all is over."""

    balancer: ResolvedLoadBalancer
    machine: Machine

    def __call__(self, names: Names, seconds: float) -> Passed:
        wanted = frozenset(names)
        up: set[str] = set()
        words: dict[str, str] = {}
        for backend in self.balancer.backends:
            targets = {
                f"{backend.name}/{server.name}": Target(str(server.address), server.port)
                for server in backend.servers
                if f"{backend.name}/{server.name}" in wanted and _is_address(str(server.address))
            }
            if not targets or backend.health_check is None:
                continue
            question = question_of(
                backend.health_check, traffic_of(backend, self.balancer), host=self.balancer.name
            )
            outcomes = self.machine.probe(question, targets.values(), within=seconds)
            for name, target in targets.items():
                outcome = outcomes[target]
                if outcome.passed:
                    up.add(name)
                else:
                    words[name] = f"{outcome.code} {outcome.words}".strip()
        return Passed(frozenset(up), words)


def traffic_of(backend: ResolvedBackend, balancer: ResolvedLoadBalancer) -> Traffic:
    """How requests go to its servers, for the probe; by whom their certificates must be vouched for, too."""
    tls = None if backend.tls is None else _tls(backend.tls, balancer)
    version = {None: 0, "v1": 1, "v2": 2}[backend.traffic.send_proxy]
    connect = backend.timeouts.get("connect", balancer.timeouts.connect)
    return Traffic(tls, version, connect)  # type: ignore[arg-type]


def _tls(declared: ServerTls, balancer: ResolvedLoadBalancer) -> ProbeTls:
    name = declared.verify_name if isinstance(declared.verify_name, str) else declared.server_name
    if not declared.verify:
        return ProbeTls(None, declared.server_name)
    return ProbeTls(_authority(declared.ca, balancer), name if declared.verify_name else None)


def _authority(name: str, balancer: ResolvedLoadBalancer) -> str | None:
    """Its PEM; of those that the host trusts, as Python's TLS finds them."""
    import ssl  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    if name != SYSTEM:
        return balancer.authorities[name].pem.decode()
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_text(encoding="utf-8") if file else None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
