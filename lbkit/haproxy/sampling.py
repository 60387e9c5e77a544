"""What `top` looks at: the counters of every frontend, backend and server, as each HAProxy has them."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.engine.traffic import Counters, Kind, Sample, Traffic
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.runtime import Row
from lbkit.machine.handle import machine

_KINDS: dict[str, Kind] = {"FRONTEND": "frontend", "BACKEND": "backend"}


def sample(scope: Scope, host: Host) -> Traffic:
    """One connection to each HAProxy. Of one that does not answer: that it does not."""
    samples: list[Sample] = []
    silent: list[str] = []
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for member in balancer.members:
            instance = Instance(machine(scope, host, member), balancer.name)
            if instance.service not in instance.machine.running():
                silent.append(f"{balancer.name} at {member}: HAProxy does not run")
                continue
            try:
                with instance.runtime(timeout=2.0) as runtime:
                    pid = runtime.info().pid
                    rows = runtime.stat()
                    at = host.clock.monotonic()
            except Failure as error:
                silent.append(f"{balancer.name} at {member}: {error.found or error.wanted}")
                continue
            samples += samples_of(rows, balancer.name, member, str(pid), at)
    return Traffic(tuple(samples), tuple(silent))


def samples_of(rows: list[Row], balancer: str, member: str, pid: str, at: float) -> Iterator[Sample]:
    for row in rows:
        kind = _KINDS.get(row.server, "server")
        name = f"{row.proxy}/{row.server}" if kind == "server" else row.proxy
        yield Sample(
            kind,
            f"{balancer}/{name}",
            member,
            pid,
            at,
            row.up,
            row.status,
            f"{row.check} {row.code}".rstrip() if kind == "server" else "",
            row.weight,
            row.sessions,
            row.queue,
            Counters(
                row.requests,
                row.bytes_in,
                row.bytes_out,
                row.request_errors,
                row.connect_errors,
                row.response_errors,
                row.http_5xx,
            ),
        )
