"""One HAProxy: a load balancer on one of its machines; its files, its sockets, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.haproxy.config.paths import CONFIG, MASTER_SOCKET, RUNTIME_SOCKET
from lbkit.haproxy.resolved import LoadBalancers, program_name
from lbkit.haproxy.runtime import Master, Runtime
from lbkit.machine.contract import Machine, Process, Program
from lbkit.machine.handle import drivers, leaving, machine

KIND = "haproxy"
LEAVES_WITHIN = 5.0  # seconds that connections get when HAProxy goes for good


def key_of(kind: str, member: str, balancer: str) -> Key:
    return Key(kind, f"{member}/{balancer}")


def argv_of(executable: str) -> tuple[str, ...]:
    """How an HAProxy is started, in its folder."""
    return executable, "-W", "-S", f"unix@{MASTER_SOCKET},mode,600", "-f", CONFIG


@dataclass(frozen=True, slots=True)
class Instance:
    """`executable`: what is started, a name or a path."""

    machine: Machine
    balancer: str
    executable: str = "haproxy"

    @classmethod
    def of(cls, key: Key, scope: Scope, host: Host) -> Instance:
        member, _, balancer = key.name.partition("/")
        declared = scope.of("haproxy", LoadBalancers).by_name.get(balancer)
        return cls(machine(scope, host, member), balancer, declared.program if declared else "haproxy")

    @property
    def service(self) -> str:
        return program_name(self.balancer)

    @property
    def where(self) -> str:
        return f"{KIND} {self.machine.name}/{self.balancer}"

    @property
    def program(self) -> Program:
        """Master and worker in the foreground. The digest is of the argv alone: the configuration says its own."""
        argv = argv_of(self.executable)
        return Program(
            self.service,
            argv,
            digest=" ".join(argv),
            kind=KIND,
            drain="USR1",  # management guide, 4: "soft stop"
            drain_timeout=LEAVES_WITHIN,
        )

    def path(self, file: str) -> PurePosixPath:
        return self.machine.folder(self.service) / file

    def put(self, file: str, content: bytes, mode: int = 0o640) -> None:
        self.machine.put(self.path(file), content, mode=mode)

    def runtime(self, *, timeout: float = 5.0) -> Runtime:
        """A connection to the worker that serves now. The caller closes it (`with`)."""
        return Runtime(self.machine.connect(self.path(RUNTIME_SOCKET), timeout=timeout), where=self.where)

    def master(self, *, timeout: float = 5.0) -> Master:
        """The process above the workers. A reload is answered by some versions when it is over: `timeout` bounds it."""
        return Master(
            lambda: self.machine.connect(self.path(MASTER_SOCKET), timeout=timeout), where=self.where
        )

    def config(self) -> str | None:
        found = self.machine.files(self.service, [CONFIG]).get(CONFIG)
        return None if found is None else found.content.decode(errors="replace")


def machines_of(members: Sequence[str], scope: Scope, host: Host) -> list[Machine]:
    """All that these members run on now: machines that leave too, for until they are gone it is they who serve."""
    own = [machine(scope, host, member) for member in members]
    return own + [each for each in leaving(scope, host) if each.name in members and _answers(each)]


def _answers(on: Machine) -> bool:
    try:
        on.running()
    except LbkitError:  # its successor takes its place all the same
        return False
    return True


def processes(scope: Scope, host: Host) -> Mapping[str, Mapping[str, Process]]:
    """All that was started in the topology's machines: by member, then by program name."""
    found: dict[str, Mapping[str, Process]] = {}
    for each in drivers(scope, host):
        found.update(each.processes(scope, host))
    return found
