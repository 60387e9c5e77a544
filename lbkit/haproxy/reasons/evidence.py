"""What one HAProxy, and the machine that it runs on, know of one server now. Asks; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.book import IPAddress
from lbkit.engine.holds import Hold
from lbkit.engine.scope import Scope
from lbkit.haproxy.probing import traffic_of
from lbkit.haproxy.resolved import ResolvedBackend, ResolvedLoadBalancer, ResolvedServer
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.runtime.servers_state import Admin
from lbkit.haproxy.seen import Seen
from lbkit.health.asking import question_of
from lbkit.health.outcome import Outcome, Target
from lbkit.health.question import Question
from lbkit.machine.contract import Machine
from lbkit.machine.handle import machine
from lbkit.machine.resolved import Machines
from lbkit.network.path import Path

ASKED_WITHIN = 3.0  # seconds
CONNECTS_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Behind:
    """The machine that the server is. `down`: its links without a carrier. `ports`: where its declared services say that
    they listen; `running`: which of them run.
    """

    name: str
    stands: bool
    down: tuple[str, ...] = ()
    ports: Mapping[int, str] = field(default_factory=dict)
    running: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """`row` None: HAProxy does not have the server, or (`runs` False) does not run. `others_up`: of its backend,
    backups left out.

    `tcp` and `asked` are tries from HAProxy's machine right now: a connection, and what the health check asks;
    None where the server is known by a name, or has no check. Whom a certificate is from only HAProxy's own check judges. `path` is looked at after them.
    """

    member: str
    runs: bool
    backend: ResolvedBackend
    server: ResolvedServer
    row: Row | None = None
    admin: Admin = Admin.NONE
    hold: Hold | None = None
    others_up: int = 0
    tcp: Outcome | None = None
    asked: Outcome | None = None
    path: Path | None = None
    behind: Behind | None = None


def gather(
    seen: Seen,
    balancer: ResolvedLoadBalancer,
    backend: ResolvedBackend,
    server: ResolvedServer,
    scope: Scope,
    host: Host,
) -> Evidence:
    row = seen.row(backend.name, server.name)
    address = _address(server.address)
    here = seen.instance.machine
    tcp, asked, path = None, None, None
    if address is not None:
        tcp, asked = _tries(here, address, balancer, backend, server)
        path = _path(here, address)
    return Evidence(
        seen.member,
        seen.info is not None,
        backend,
        server,
        row,
        _admin(seen, backend, server) if row is not None else Admin.NONE,
        scope.holds.get(f"{balancer.name}/{backend.name}/{server.name}"),
        sum(each.up and not each.backup for each in seen.servers if each.proxy == backend.name),
        tcp,
        asked,
        path,
        _behind(server.member, scope, host) if server.member is not None else None,
    )


def _tries(
    here: Machine,
    address: IPAddress,
    balancer: ResolvedLoadBalancer,
    backend: ResolvedBackend,
    server: ResolvedServer,
) -> tuple[Outcome | None, Outcome | None]:
    target = Target(str(address), server.port)
    try:
        tcp = here.probe(Question(connect_within=CONNECTS_WITHIN), [target], within=ASKED_WITHIN)[target]
        if backend.health_check is None:
            return tcp, None
        question = question_of(backend.health_check, traffic_of(backend, balancer), host=balancer.name)
        asked = here.probe(question, [target], within=ASKED_WITHIN)[target]
    except Failure:  # HAProxy's own machine is gone
        return None, None
    return tcp, asked


def _path(here: Machine, address: IPAddress) -> Path | None:
    try:
        return here.path_to(address)
    except Failure:
        return None


def _admin(seen: Seen, backend: ResolvedBackend, server: ResolvedServer) -> Admin:
    key = backend.name, server.name
    try:
        with seen.instance.runtime(timeout=2.0) as runtime:
            return next((each.admin for each in runtime.servers() if each.key == key), Admin.NONE)
    except Failure:
        return Admin.NONE


def _behind(member: str, scope: Scope, host: Host) -> Behind:
    it = machine(scope, host, member)
    try:
        links = it.path_to(ip_address("127.0.0.1")).links
    except Failure:
        return Behind(member, stands=False)
    down = tuple(sorted(name for name, link in links.items() if not link.carrier))
    running = frozenset(it.running())
    declared = scope.of("machine", Machines).by_name.get(member)
    services = declared.services if declared is not None else ()
    ports = {each.ready.port: each.name for each in services if each.ready is not None and each.ready.port}
    return Behind(member, stands=True, down=down, ports=ports, running=running)


def _address(address: IPAddress | str) -> IPAddress | None:
    if not isinstance(address, str):
        return address
    try:
        return ip_address(address)
    except ValueError:
        return None
