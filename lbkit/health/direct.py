"""Ask servers now, or until they are healthy: whoever runs them, from the network that the caller is in. Nothing is changed.

>>> import lbkit
>>> probed = lbkit.checks.probe(["10.80.1.2", "10.80.1.3"], {"protocol": "http", "path": "/up"}, port=80, wait=30)
>>> lbkit.checks.demand(probed)

`wait` 0: each is asked once, and one good answer is enough. Otherwise all are asked at their check's `interval`, until each has given
`rise` good answers in a row. What a check says of keeping on asking (`fall`) means nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Failure, Mistake
from lbkit.health.outcome import NOT_ASKED, Outcome
from lbkit.health.servers import Server, servers_of

if TYPE_CHECKING:
    from lbkit.health.spec import HealthCheck

Ask = Callable[[Sequence[Server], float | None], Mapping[Server, Outcome]]
"""Every one once, within so many seconds; None: as long as the check allows."""


@dataclass(frozen=True, slots=True)
class Health:
    """Of one server. `outcome` is its last answer, `asked` how often it was asked, `good` how many good ones it gave last, in a row."""

    server: Server
    outcome: Outcome = NOT_ASKED
    asked: int = 0
    good: int = 0

    def told(self, outcome: Outcome) -> Health:
        if outcome is NOT_ASKED:  # the time was up: what it said before is what is known of it
            return self
        return replace(
            self, outcome=outcome, asked=self.asked + 1, good=self.good + 1 if outcome.passed else 0
        )


@dataclass(frozen=True, slots=True)
class Probed:
    """`rise` good answers in a row were wanted, within `wait` seconds; it took `seconds`."""

    servers: tuple[Health, ...]
    rise: int
    wait: float
    seconds: float

    @property
    def healthy(self) -> bool:
        return all(map(self.is_healthy, self.servers))

    def is_healthy(self, health: Health) -> bool:
        return health.good >= self.rise

    def words(self, health: Health) -> str:
        """What it said last; and how much is lacking, where that was good."""
        words = health.outcome.words if health.asked else "no answer before the time was up"
        if health.outcome.passed and not self.is_healthy(health):
            words += f", but {health.good} of {self.rise} times in a row"
        return words

    def as_data(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "seconds": round(self.seconds, 3),
            "targets": [
                {
                    "address": health.server.address,
                    "port": health.server.port,
                    "healthy": self.is_healthy(health),
                    "code": health.outcome.code,
                    "words": self.words(health),
                    "seconds": round(health.outcome.seconds, 6),
                    "asked": health.asked,
                }
                for health in self.servers
            ],
        }


class Unhealthy(Failure):
    """Not all servers are healthy. `probed` has every one's answer."""

    def __init__(self, probed: Probed) -> None:
        self.probed = probed
        bad = [health for health in probed.servers if not probed.is_healthy(health)]
        count = len(probed.servers)
        super().__init__(
            f"{count} server{'' if count == 1 else 's'} {'was' if count == 1 else 'were'} to be healthy"
            + (f" within {probed.wait:g} s" if probed.wait else ""),
            found="; ".join(f"{health.server}: {probed.words(health)}" for health in bad),
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), **self.probed.as_data()}


def probe(
    targets: Iterable[str],
    check: Mapping[str, Any] | None = None,
    *,
    port: int | None = None,
    ca: Path | None = None,
    wait: float = 0.0,
    clock: Clock | None = None,
    ask: Ask | None = None,
) -> Probed:
    """How the `targets` ("ADDRESS", "ADDRESS:PORT", "[IPv6]:PORT", "NAME:PORT") are. `port` is that of those without one.

    `check` is declared as `health_check` of a topology's backend; `ca`: a file (PEM) of who must have signed the certificate. `ask` is in
    the place of the network. Raises Mistake; that servers are not healthy is in the result.
    """
    from lbkit.health.declared import declared  # noqa: PLC0415 - brings pydantic
    from lbkit.health.network import Network, authorities  # noqa: PLC0415 - brings ssl

    wanted = declared(check or {}, verified=ca is not None)
    if wanted.port is not None and port is not None and port != wanted.port:
        raise Mistake(
            "one port was to be given",
            found=f"{port}, and {wanted.port} in the check",
            remedy="leave one of them out",
        )
    servers = servers_of(targets, wanted.port or port)
    if not servers:
        raise Mistake("a server to ask was to be named", found="none")
    if wanted.port is not None and (others := [each for each in servers if each.port != wanted.port]):
        raise Mistake(
            f"{others[0]} was to be asked at one port",
            found=f"{wanted.port} in the check",
            remedy="leave one of them out",
        )
    _check_time(wanted, wait)
    ask = ask or Network(wanted, authorities(ca) if ca else None).ask
    return _probed(servers, wanted, ask, wait, clock or SystemClock())


def demand(probed: Probed) -> Probed:
    """The same; Unhealthy where one of the servers is not."""
    if not probed.healthy:
        raise Unhealthy(probed)
    return probed


def _probed(servers: Sequence[Server], check: HealthCheck, ask: Ask, wait: float, clock: Clock) -> Probed:
    rise = check.rise if wait else 1
    began = clock.monotonic()
    deadline = began + wait
    found = {server: Health(server) for server in servers}
    while True:
        turn = clock.monotonic()
        answers = ask(servers, deadline - turn if wait else None)
        found = {server: health.told(answers[server]) for server, health in found.items()}
        now = clock.monotonic()
        probed = Probed(tuple(found.values()), rise, wait, now - began)
        following = max(turn + pause(check, probed.servers), now)
        if probed.healthy or following >= deadline:
            return probed
        clock.sleep(following - now)


def pause(check: HealthCheck, servers: Iterable[Health]) -> float:
    """Seconds from one turn to the next: of a check that says otherwise for those that are down, or on their way up, as it says."""
    down = any(not health.good for health in servers)
    return (check.interval_down if down else check.interval_changing) or check.interval


def _check_time(check: HealthCheck, wait: float) -> None:
    needed = (check.rise - 1) * (check.interval_changing or check.interval)
    if not wait >= 0:
        raise Mistake("the time to wait was to be 0 or more", found=f"{wait:g} s")
    if 0 < wait <= needed:
        raise Mistake(
            f"the time to wait was to be long enough for {check.rise} good answers in a row: more than {needed:g} s",
            found=f"{wait:g} s",
            remedy="wait longer, or say `rise: 1` or a shorter `interval` in the check",
        )
