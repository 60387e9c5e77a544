"""The evidence on one server as findings, and the likely cause at their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbkit.base.host import Host
from lbkit.engine.journal import read_journal
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.haproxy.reasons.cause import NOBODY, cause, heard, who_set
from lbkit.haproxy.reasons.evidence import Evidence, gather
from lbkit.haproxy.reasons.history import last_change
from lbkit.haproxy.resolved import ResolvedBackend, ResolvedLoadBalancer, ResolvedServer
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.seen import Seen
from lbkit.health.outcome import Outcome


def server_findings(
    balancer: ResolvedLoadBalancer,
    backend: ResolvedBackend,
    server: ResolvedServer,
    seen: Sequence[Seen],
    scope: Scope,
    host: Host,
) -> Iterator[Finding]:
    """`seen`: the HAProxys of the load balancer. What speaks against one of them that does not run is the caller's."""
    causes: dict[str, list[str]] = {}
    for each in seen:
        evidence = gather(each, balancer, backend, server, scope, host)
        yield from _findings(evidence, each)
        if likely := cause(evidence):
            causes.setdefault(likely, []).append(each.member)
    journal = host.folder(scope.name) / "journal.jsonl"
    changed = last_change(read_journal(journal), balancer.name, backend.name, server.name, server.member)
    if changed is not None:
        yield Finding(None, f"last change by lbkit: {changed[0]}", changed[1])
    for likely, members in causes.items():
        where = "" if len(members) == len(seen) else f" (at {', '.join(members)})"
        yield Finding(None, f"likely cause: {likely}{where}")


def _findings(evidence: Evidence, seen: Seen) -> Iterator[Finding]:
    member, row = evidence.member, evidence.row
    if row is None:
        if evidence.runs:
            yield Finding(False, f"{member}: HAProxy does not know {evidence.server.name}", seen.way.reason)
    else:
        yield Finding(
            row.up,
            f"{member}: {row.status} for {row.changed} s, weight {row.weight}",
            f"{row.sessions} sessions now, {row.sessions_total} in all",
        )
        yield _admin(evidence)
        yield Finding(good(row), f"{member}: last check {row.check or 'none'}", check_words(row))
        yield from _agent(evidence, row)
    yield from _way(evidence)


def _admin(evidence: Evidence) -> Finding:
    wanted = "drain" if evidence.hold is not None else evidence.server.state
    state = "maintenance" if evidence.admin.maint else "drain" if evidence.admin.drain else "ready"
    return Finding(
        state == wanted, f"{evidence.member}: admin state {state}, wanted {wanted}", who_set(evidence)
    )


def _agent(evidence: Evidence, row: Row) -> Iterator[Finding]:
    check = evidence.backend.health_check
    if check is None or check.agent is None or not row.agent:
        return
    words = {None: "was not asked yet", True: "answers", False: "does not answer"}[heard(row)]
    yield Finding(
        heard(row),
        f"{evidence.member}: its agent at port {check.agent.port} {words}",
        f"{row.agent} {row.agent_words}".strip(),
    )


def _way(evidence: Evidence) -> Iterator[Finding]:
    member, server, path = evidence.member, evidence.server, evidence.path
    if path is not None and path.refusal:
        down = sorted(name for name, link in path.links.items() if not link.up)
        yield Finding(
            False,
            f"{member}: {path.refusal}",
            f"to {server.address}" + (f"; down: {', '.join(down)}" if down else ""),
        )
    elif path is not None:
        link = path.links.get(path.interface)
        state = "unknown" if link is None else "up" if link.carrier else "no carrier" if link.up else "down"
        yield Finding(
            None if link is None else link.carrier,
            f"{member}: link {path.interface} is {state}",
            f"route to {server.address}"
            + (f" via {path.via}" if path.via else ", on the link")
            + (f" from {path.source}" if path.source else ""),
        )
        if path.neighbour is not None:
            yield Finding(
                path.neighbour not in NOBODY,
                f"{member}: neighbour {path.via or server.address} is {path.neighbour}",
                path.mac,
            )
    if evidence.behind is not None and not evidence.behind.stands:
        yield Finding(False, f"{evidence.behind.name} does not stand")
    elif evidence.behind is not None and evidence.behind.down:
        yield Finding(False, f"{evidence.behind.name}: its link {', '.join(evidence.behind.down)} is down")
    if evidence.tcp is not None:
        yield _tried(member, f"{server.address} port {server.port}", evidence.tcp)
    if evidence.asked is not None:
        yield _tried(member, "its check, asked by lbkit", evidence.asked)


def _tried(member: str, what: str, outcome: Outcome) -> Finding:
    code = "accepts TCP" if outcome.code == "L4OK" else f"{outcome.code} {outcome.words}".strip()
    return Finding(outcome.passed, f"{member}: {what}", f"{code}, {outcome.seconds * 1000:.0f} ms")


def good(row: Row) -> bool | None:
    return None if not row.check or row.check == "INI" else row.check.endswith(("OK", "OKC"))


def check_words(row: Row) -> str:
    said = [
        row.words,
        f"status {row.code}" if row.code else "",
        row.detail if row.detail != row.words else "",
    ]
    return ", ".join(filter(None, said))
