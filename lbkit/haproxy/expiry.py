"""When certificates end: for the plan's notes, for status and for explain. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.haproxy.config.tls import used
from lbkit.haproxy.resolved import LoadBalancers, ResolvedLoadBalancer

SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Term:
    """How long one certificate or authority holds; `names`: what it is for, in a person's words."""

    what: str
    names: str
    not_before: datetime
    not_after: datetime

    def trouble(self, now: datetime) -> str:
        """What clients will say of it; "" where it holds for long enough."""
        if now < self.not_before:
            return f"is not valid before {_day(self.not_before)}"
        if now >= self.not_after:
            return f"expired on {_day(self.not_after)}"
        left = self.not_after - now
        return f"expires in {_left(left)}, on {_day(self.not_after)}" if left <= SOON else ""


def terms(balancer: ResolvedLoadBalancer) -> Iterator[Term]:
    """Of what is used; an authority's is that of its first certificate to expire."""
    names, authorities = used(balancer)
    for name in names:
        one = balancer.certificates[name]
        yield Term(f"certificate {name}", ", ".join(one.answers[:3]), one.not_before, one.not_after)
    for name in authorities:
        root = balancer.authorities[name]
        yield Term(
            f"authority {name}",
            f"{len(root.fingerprints)} in its file",
            datetime.min.replace(tzinfo=root.not_after.tzinfo),
            root.not_after,
        )


def notes(scope: Scope, now: datetime) -> Iterator[str]:
    for balancer in scope.of("haproxy", LoadBalancers).by_name.values():
        for term in terms(balancer):
            if trouble := term.trouble(now):
                yield f"load_balancers.{balancer.name}: {term.what} ({term.names}) {trouble}"


def findings(balancer: ResolvedLoadBalancer, now: datetime) -> Iterator[Finding]:
    for term in terms(balancer):
        trouble = term.trouble(now)
        yield Finding(
            now >= term.not_before and now < term.not_after,
            f"{term.what} {trouble or f'is valid until {_day(term.not_after)}'}",
            term.names,
        )


def facts(balancer: ResolvedLoadBalancer) -> dict[str, str]:
    """By the name of each certificate that is used, when it expires (ISO 8601)."""
    return {name: balancer.certificates[name].not_after.isoformat() for name in used(balancer)[0]}


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d}"


def _left(left: timedelta) -> str:
    hours = int(left.total_seconds() // 3600)
    if hours < 48:
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{hours // 24} days"
