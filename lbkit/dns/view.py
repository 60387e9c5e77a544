"""What a person sees of zones: status rows, the picture, explanations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.dns.dial import client
from lbkit.dns.observe import transfer, zones
from lbkit.dns.ownership import holding, mark_name
from lbkit.dns.plan import actual, desired, judge_update
from lbkit.dns.resolved import ResolvedRrset, ResolvedServer, ResolvedZone
from lbkit.dns.settle import at_least
from lbkit.dns.zonedata import ZoneData
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Edge, Finding, Health, Node, Picture, Status


def zone_key(zone: ResolvedZone) -> Key:
    return Key("zone", zone.name)


def status(scope: Scope, host: Host) -> Iterator[Status]:
    for zone in zones(scope):
        yield _row(zone, scope, host)


def _row(zone: ResolvedZone, scope: Scope, host: Host) -> Status:
    present, ours, troubles = False, 0, []
    try:
        data = transfer(zone, scope, host)
    except LbkitError as error:
        data = None
        troubles.append(error.found or error.wanted)
    if data is not None:
        standing = list(actual(zone, data, scope.name))
        ours = sum(have.owner == scope.name and bool(have.state["values"]) for have in standing)
        present = not _differences(zone, data, scope.name)
    serials, silent = _serials(zone, scope, host)
    newest = next(iter(serials.values()), None)
    equal = all(
        at_least(serial, newest or 0) and at_least(newest or 0, serial) for serial in serials.values()
    )
    troubles += [f"{server} does not answer: {why}" for server, why in silent.items()]
    if not equal:
        troubles.append(
            "serials differ: " + ", ".join(f"{server} {serial}" for server, serial in serials.items())
        )
    health = Health.DEGRADED if troubles else Health.UP
    if data is None or not serials:
        health = Health.DOWN
    detail = f"{ours} rrset{'' if ours == 1 else 's'} of {len(zone.rrsets)}"
    detail += f", serial {newest}" if serials and equal else ""
    facts = {"rrsets": ours, "declared": len(zone.rrsets), "serials": serials, "silent": silent}
    return Status(zone_key(zone), present, health, "; ".join([detail, *dict.fromkeys(troubles)]), facts)


def _differences(zone: ResolvedZone, data: ZoneData, topology: str) -> list[Key]:
    found = {have.key: have for have in actual(zone, data, topology)}
    wanted = {want.key: want for want in desired([zone])}
    differing = [key for key, have in found.items() if have.owner == topology and key not in wanted]
    for key, want in wanted.items():
        have = found.get(key)
        if have is None or have.owner != topology or have.free is False or judge_update(want, have):
            differing.append(key)
    return sorted(differing)


def _serials(zone: ResolvedZone, scope: Scope, host: Host) -> tuple[dict[str, int], dict[str, str]]:
    """The serial that each server serves to anybody, and why the others do not."""

    def ask(server: ResolvedServer) -> int | str:
        try:
            with client(zone, server, None, scope, host) as asked:
                return asked.serial()
        except Failure as failure:
            return failure.found or failure.wanted

    with ThreadPoolExecutor(min(8, len(zone.servers)), thread_name_prefix="lbkit-dns") as pool:
        answers = list(zip(zone.servers, pool.map(ask, zone.servers), strict=True))
    serials = {str(server): answer for server, answer in answers if isinstance(answer, int)}
    return serials, {str(server): answer for server, answer in answers if isinstance(answer, str)}


def picture(scope: Scope) -> Picture:
    nodes, edges = [], []
    for zone in zones(scope):
        box = str(zone_key(zone))
        servers = [f"machine {server.machine}" for server in zone.servers if server.machine]
        home = servers[0] if len(servers) == 1 == len(zone.servers) else None
        records = tuple(f"{name} {kind}" for name, kind in sorted(zone.rrsets))
        nodes.append(Node(box, zone.name, "zone", () if home else records, inside=home))
        if home is None:
            edges += [Edge(box, server) for server in servers]
        pointed: dict[str, list[str]] = {}
        for rrset in zone.rrsets.values():
            for target in rrset.targets:
                for node in _nodes_of(target, scope):
                    pointed.setdefault(node, []).append(rrset.name)
        for node, names in pointed.items():
            edges.append(Edge(box, node, ", ".join(dict.fromkeys(names)), faint=True))
    return Picture(tuple(nodes), tuple(edges))


def _nodes_of(target: str, scope: Scope) -> list[str]:
    section, _, name = target.partition(".")
    if section == "machines":
        return [f"machine {endpoint.name}" for endpoint in scope.book.endpoints(target) or ()]
    return [f"vip {name}"]


def explainable(scope: Scope) -> Iterator[str]:
    for zone in zones(scope):
        yield zone.name
        yield from (f"{zone.name}/{name}" for name in sorted({name for name, _ in zone.rrsets}))


def explain(scope: Scope, host: Host, path: Sequence[str]) -> list[Finding] | None:
    zone = next((zone for zone in zones(scope) if path and zone.name == path[0]), None)
    if zone is None or len(path) > 2:
        return None
    if len(path) == 1:
        return [_of_zone(zone, scope, host)]
    rrsets = [rrset for (name, _), rrset in sorted(zone.rrsets.items()) if name == path[1].lower()]
    if not rrsets:
        return None
    findings = []
    try:
        data = transfer(zone, scope, host)
    except LbkitError as error:
        data = None
        findings.append(
            Finding(False, f"{zone.servers[0]} lets lbkit read the zone {zone.name}", error.found)
        )
    else:
        if data is None:
            findings.append(Finding(False, f"{zone.servers[0]} answers", "nobody listens there"))
    for rrset in rrsets:
        if data is not None:
            findings.append(_of_marks(zone, data, rrset, scope.name))
        findings += [_of_answer(zone, server, rrset, scope, host) for server in zone.servers]
    return findings


def _of_zone(zone: ResolvedZone, scope: Scope, host: Host) -> Finding:
    row = _row(zone, scope, host)
    return Finding(
        row.present and row.health is Health.UP, f"zone {zone.name} is served as declared", row.detail
    )


def _of_marks(zone: ResolvedZone, data: ZoneData, rrset: ResolvedRrset, topology: str) -> Finding:
    have = holding(data, topology, rrset.name, rrset.kind)
    evidence = f"marks at {mark_name(rrset.name, rrset.kind)}.{zone.name}"
    if missing := set(rrset.values) - have.ours:
        evidence = f"{', '.join(sorted(missing))}: " + (
            "not in the zone" if missing - set(have.others) else "in the zone, but not by this topology"
        )
    if have.others:
        evidence += f"; beside values of others: {', '.join(sorted(have.others))}"
    return Finding(not missing, f"{rrset.name} {rrset.kind} is in the zone, and is this topology's", evidence)


def _of_answer(
    zone: ResolvedZone, server: ResolvedServer, rrset: ResolvedRrset, scope: Scope, host: Host
) -> Finding:
    what = f"{server} answers {rrset.name} {rrset.kind} as declared"
    try:
        with client(zone, server, None, scope, host) as asked:
            answer = asked.look_up(rrset.name, rrset.kind)
    except Failure as failure:
        return Finding(False, what, failure.found or failure.wanted)
    if not answer.values:
        words = f"{answer.rcode}, no {rrset.kind}" + (
            "" if answer.authoritative else ", and not with authority"
        )
        return Finding(False, what, words)
    evidence = f"{answer.kind} {', '.join(sorted(answer.values))}, TTL {answer.ttl}"
    good = answer.authoritative and answer.kind == rrset.kind and set(rrset.values) <= answer.values
    return Finding(good, what, evidence if answer.authoritative else f"{evidence}, but without authority")
