"""One backend, on both sides of a transition: what all that is planned of its servers asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lbkit.haproxy.capabilities import Capabilities
from lbkit.haproxy.transition.server import Server
from lbkit.haproxy.transition.state import Running, Timing, Wanted
from lbkit.haproxy.transition.written import Section

CHECK_ENDS_WITHIN = 10.0  # seconds, where a check has no timeout of its own


@dataclass(slots=True)
class Backend:
    """`section` is wanted, `was` is what the running process has: its algorithm decides what can be done now.

    `kept`: how servers are to be, where that is not as declared.
    """

    name: str
    section: Section
    was: Section
    running: Running
    wanted: Wanted
    can: Capabilities
    kept: dict[str, Server] = field(default_factory=dict)

    def want(self, name: str) -> Server:
        return self.kept.get(name) or self.wanted.server(name)

    def takes(self, name: str) -> bool:
        """Whether it is to get new requests, as declared: whether it does, a guard sees."""
        want = self.wanted.server(name)
        return want.admin == "ready" and want.weight != 0

    def by_agent(self, name: str) -> bool:
        """Whether its agent alone has it begin: nobody says `ready` in its place."""
        return self.name in self.wanted.late and self.want(name).asked

    @property
    def timing(self) -> Timing:
        return self.wanted.timing_of(self.name)

    def said(self, name: str) -> str:
        return f"backend {self.name}: server {name.partition('/')[2]}"

    @property
    def dynamic(self) -> bool:
        algorithm = self.was.balance[0] if self.was.balance else "roundrobin"
        return self.can.is_dynamic(algorithm, consistent=self.was.consistent)

    @property
    def check_ends_within(self) -> float:
        """A check ends with its timeout; what else holds one up gets a second."""
        for section in (self.was, self.section):
            for line in section.lines:
                if line.startswith("timeout check "):
                    return int(line.split()[2]) / 1000 + 1
        return CHECK_ENDS_WITHIN

    def mine(self, servers: Mapping[str, str]) -> Iterator[str]:
        return (name for name in servers if name.startswith(f"{self.name}/"))

    def awaited(self, names: Iterable[str]) -> tuple[str, ...]:
        """Of those that are checked: who is to get requests. Not who stands in for others: nobody waits for that."""
        return tuple(
            name
            for name in self.checked(names)
            if self.want(name).admin == "ready" and not self.wanted.stands_in(name)
        )

    def checked(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if self.wanted.server(name).checked)


def pair(name: str) -> tuple[str, str]:
    """Backend and server of "BACKEND/SERVER"."""
    backend, _, server = name.partition("/")
    return backend, server


def is_address(text: str) -> bool:
    return ":" in text or text.replace(".", "").isdigit()
