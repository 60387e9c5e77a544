"""What people see of machines and services: rows of status, boxes of the picture, evidence. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lbkit.base.host import Host
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Edge, Finding, Health, Node, Picture, Status
from lbkit.machine.handle import driver, judge_machine, machine
from lbkit.machine.plan import judge_service, service_key, service_of
from lbkit.machine.ready import accepts
from lbkit.machine.resolved import Machines, ResolvedMachine

_LAYER = 2  # of the picture: behind networks and load balancers


def status(
    wanted: Iterable[Desired], found: Iterable[Actual], topology: str, unseen: Mapping[Key, str]
) -> Iterable[Status]:
    standing = {have.key: have for have in found if have.owner == topology}
    for want in wanted:
        have = standing.get(want.key)
        why = unseen.get(want.key) or (unseen.get(want.within) if want.within else None)
        if why is not None and want.key.kind in {"machine", "service"}:
            yield Status(want.key, present=False, health=Health.UNKNOWN, detail=why, parent=want.within)
        elif want.key.kind == "machine":
            yield _machine_row(want, have)
        elif want.key.kind == "service":
            yield _service_row(want, have)


def _machine_row(want: Desired, have: Actual | None) -> Status:
    interfaces = want.state["interfaces"]
    name = str(want.state["driver"])
    place = driver(name).place(have.state) if have and have.state["driver"] == name else None
    facts = {
        "driver": name,
        **(place or driver(name).place(want.state) or {}),
        "addresses": {name: each["addresses"] for name, each in interfaces.items()},
    }
    verdict = judge_machine(want, have) if have else None
    if have is None or place is None:
        why = verdict.reason if verdict else "does not stand"
        return Status(want.key, present=False, health=Health.DOWN, detail=why, facts=facts)
    if verdict is not None:
        return Status(want.key, present=False, health=Health.DEGRADED, detail=verdict.reason, facts=facts)
    addresses = [address.partition("/")[0] for each in interfaces.values() for address in each["addresses"]]
    return Status(want.key, present=True, health=Health.UP, detail=", ".join(addresses), facts=facts)


def _service_row(want: Desired, have: Actual | None) -> Status:
    parent = Key("machine", want.key.name.partition("/")[0])
    if have is None:
        return Status(want.key, present=False, health=Health.DOWN, detail="does not stand", parent=parent)
    verdict = judge_service(want, have)
    if not have.state["running"]:
        reason = verdict.reason if verdict else ""
        return Status(want.key, present=False, health=Health.DOWN, detail=reason, parent=parent)
    facts = {"pid": have.state["pid"], "since": have.state["since"]}
    if verdict is not None:
        return Status(
            want.key,
            present=False,
            health=Health.DEGRADED,
            detail=verdict.reason,
            facts=facts,
            parent=parent,
        )
    detail = f"pid {facts['pid']}, since {facts['since']}"
    return Status(want.key, present=True, health=Health.UP, detail=detail, facts=facts, parent=parent)


def picture(scope: Scope) -> Picture:
    nodes, edges = [], []
    for each in scope.of("machine", Machines).by_name.values():
        key = Key("machine", each.name)
        addresses = tuple(str(address.ip) for interface in each.interfaces for address in interface.addresses)
        nodes.append(Node(str(key), each.name, "machine", addresses, _LAYER))
        nodes += [
            Node(str(Key("service", f"{each.name}/{service.name}")), service.name, "service", inside=str(key))
            for service in each.services
        ]
        edges += [
            Edge(
                str(key),
                str(Key("network", interface.network)),
                ", ".join(str(address.ip) for address in interface.addresses),
            )
            for interface in each.interfaces
        ]
    return Picture(tuple(nodes), tuple(edges))


def explain_machine(scope: Scope, host: Host, declared: ResolvedMachine) -> list[Finding]:
    findings = list(driver(declared.driver).explain(scope, host, declared.name))
    running = machine(scope, host, declared.name).running()
    findings += [
        Finding(
            service.name in running,
            f"service {service.name} {'runs' if service.name in running else 'does not run'}",
            f"`lbkit explain {declared.name}/{service.name}` says more",
        )
        for service in declared.services
    ]
    findings += [
        Finding(None, f"{name} runs", f"pid {process.pid}, of {process.kind}")
        for name, process in sorted(running.items())
        if process.kind != "service"
    ]
    return findings


def explain_service(
    scope: Scope, host: Host, declared: ResolvedMachine, want: Desired, have: Actual | None
) -> list[Finding]:
    name = want.key.name.partition("/")[2]
    service = service_of(scope, service_key(declared.name, name))
    where = machine(scope, host, declared.name)
    verdict = judge_service(want, have) if have else None
    findings = []
    if have is None or not have.state["running"]:
        findings.append(Finding(False, "it does not run", verdict.reason if verdict else "it does not stand"))
    else:
        evidence = f"pid {have.state['pid']}, since {have.state['since']}"
        findings.append(Finding(True, "its process lives, in the machine's namespace", evidence))
        if verdict is not None:
            findings.append(Finding(False, "it is not as declared", verdict.reason))
        if service is not None and service.ready is not None:
            addresses = [str(address.ip) for each in declared.interfaces for address in each.addresses]
            refused = accepts(where, [*addresses, "127.0.0.1", "::1"], service.ready.port)
            words = f"port {service.ready.port} {'does not accept' if refused else 'accepts'} connections"
            findings.append(Finding(not refused, words, refused or ", ".join(addresses)))
    findings += [Finding(None, "its log says", line) for line in where.log(name, lines=5)]
    return findings
