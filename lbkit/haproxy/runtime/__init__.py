"""HAProxy's Runtime API: many commands over one connection, every reply checked, answers as data.

`client.Runtime` speaks it over a socket, `aio.AsyncRuntime` over asyncio, both by the same `protocol`.
`commands` makes commands, `questions` pairs those that ask with the parsers of their answers. Addresses of
servers and words of checks are data of others: they are taken as text and never as commands.
"""

from lbkit.haproxy.runtime.client import Runtime
from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.failure import Later, RuntimeFailure
from lbkit.haproxy.runtime.info import Info
from lbkit.haproxy.runtime.master import Master, Reload, Workers, ask_master, parse_proc
from lbkit.haproxy.runtime.servers_state import EMPTY_STATE, ServerState, parse_servers_state, state_of
from lbkit.haproxy.runtime.stat import Row, parse_stat

__all__ = [
    "EMPTY_STATE",
    "Command",
    "Info",
    "Later",
    "Master",
    "Reload",
    "Row",
    "Runtime",
    "RuntimeFailure",
    "ServerState",
    "Workers",
    "ask_master",
    "parse_proc",
    "parse_servers_state",
    "parse_stat",
    "state_of",
]
