"""`show servers state`: each server as HAProxy would take it up again (management guide, 9.3).

Also the form of the server-state file. The flags and numbers are those of HAProxy's include/haproxy/server-t.h
and check-t.h, the same in 2.6 and 3.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from sys import intern

EMPTY_STATE = "1\n"
_VERSION = "1"
_COLUMNS = (
    *("be_id", "be_name", "srv_id", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight"),
    *(
        "srv_iweight",
        "srv_time_since_last_change",
        "srv_check_status",
        "srv_check_result",
        "srv_check_health",
    ),
    *("srv_check_state", "srv_agent_state", "bk_f_forced_id", "srv_f_forced_id", "srv_fqdn", "srv_port"),
    *("srvrecord", "srv_use_ssl", "srv_check_port", "srv_check_addr", "srv_agent_addr", "srv_agent_port"),
)


class OpState(IntEnum):
    STOPPED = 0
    STARTING = 1
    RUNNING = 2
    STOPPING = 3


class Admin(IntFlag):
    """Why a server is not in rotation, by whom: FORCED by a person or lbkit, INHERITED from a tracked server."""

    NONE = 0
    FORCED_MAINT = 0x01
    INHERITED_MAINT = 0x02
    CONFIG_MAINT = 0x04
    FORCED_DRAIN = 0x08
    INHERITED_DRAIN = 0x10
    RESOLUTION_MAINT = 0x20
    HOSTNAME_MAINT = 0x40

    @property
    def maint(self) -> bool:
        return bool(self & 0x23)

    @property
    def drain(self) -> bool:
        return bool(self & 0x18)


class Check(IntFlag):
    """What is known of a health check, or of an agent's."""

    NONE = 0
    IN_PROGRESS = 0x01
    CONFIGURED = 0x02
    ENABLED = 0x04
    PAUSED = 0x08
    AGENT = 0x10

    @property
    def runs(self) -> bool:
        """Configured, enabled and not paused by maintenance."""
        return self & 0x0E == 0x06


class CheckResult(IntEnum):
    UNKNOWN = 0
    NEUTRAL = 1
    FAILED = 2
    PASSED = 3
    PASSED_STOPPING = 4


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server. `weight` is in force, `initial_weight` the configuration's; `for_seconds` since its last change.

    `health`: the count of passed checks up to rise, then beyond it less the failed. Addresses "" where not set.
    """

    backend: str
    server: str
    address: str
    port: int
    op_state: OpState
    admin: Admin
    weight: int
    initial_weight: int
    for_seconds: int
    check_status: int
    check_result: CheckResult
    health: int
    check: Check
    agent: Check
    fqdn: str
    use_ssl: bool
    check_port: int
    check_address: str
    agent_address: str
    agent_port: int
    server_id: int

    @property
    def key(self) -> tuple[str, str]:
        return self.backend, self.server


_OP = {str(int(each)): each for each in OpState}
_RESULT = {str(int(each)): each for each in CheckResult}


def parse_servers_state(text: str) -> Iterator[ServerState]:
    """The rows of the reply, or of a server-state file. Another version of the form is a ValueError."""
    lines = iter(text.split("\n"))
    if next(lines, "") != _VERSION:
        raise ValueError(f"version {_VERSION} of the form")
    head = next(lines, "")
    if not head:
        return
    if head.removeprefix("# ").split()[: len(_COLUMNS)] != list(_COLUMNS):
        raise ValueError("the columns known")
    admins: dict[str, Admin] = {}
    checks: dict[str, Check] = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        row = line.split(" ")
        (
            _,
            backend,
            ident,
            server,
            address,
            op_state,
            admin,
            weight,
            initial,
            age,
            status,
            result,
            health,
        ) = row[:13]
        (check, agent, _, _, fqdn, port, _, use_ssl, check_port, check_addr, agent_addr, agent_port) = row[
            13:25
        ]
        if admin not in admins:
            admins[admin] = Admin(int(admin))
        for each in (check, agent):
            if each not in checks:
                checks[each] = Check(int(each))
        yield ServerState(
            intern(backend),
            server,
            _set(address),
            int(port),
            _OP[op_state],
            admins[admin],
            int(weight),
            int(initial),
            int(age),
            int(status),
            _RESULT[result],
            int(health),
            checks[check],
            checks[agent],
            _set(fqdn),
            use_ssl == "1",
            int(check_port),
            _set(check_addr),
            _set(agent_addr),
            int(agent_port),
            int(ident),
        )


def checked_state(text: str) -> str:
    """The reply itself, as the text of a server-state file, where it has the form known."""
    if not text.startswith(f"{_VERSION}\n# {_COLUMNS[0]} "):
        raise ValueError(f"version {_VERSION} of the form")
    return text + "\n"


def state_of(dump: str, kept: frozenset[tuple[str, str]]) -> str:
    """A server-state file from what `show servers state` says, with the lines of `kept` (backend, server) alone.

    HAProxy would take a changed server's old address from its line, and say nothing of it.
    """
    lines = dump.splitlines()
    good = [
        line for line in lines[2:] if len(parts := line.split(" ", 4)) == 5 and (parts[1], parts[3]) in kept
    ]
    return "\n".join([*lines[:2], *good]) + "\n"


def _set(value: str) -> str:
    return "" if value == "-" else value
