"""Commands about servers (management guide, 9.3). Their replies as 2.6 and 3.0 word them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal

from lbkit.base.errors import Bug
from lbkit.haproxy.runtime.command import Command, name, whole, word

_CHANGED = r"(?:IP|port) changed from '[^'\n]*' to '[^'\n]*'|no need to change the (?:addr|port)"
_READDRESSED = rf"(?:(?:{_CHANGED})(?:, (?:{_CHANGED}))?(?: by '[^'\n]*')?|nothing changed)\Z"
_ADDED = r"(?s:.*\n)?New server registered\.\Z"  # warnings may come first
_DELETED = r"Server deleted\.\Z"
_TLS_SET = r"server ssl setting updated\.\Z"
_MOST = 2**31 - 1

State = Literal["ready", "drain", "maint"]
Health = Literal["up", "stopping", "down"]


def set_weight(backend: str, server: str, weight: int) -> Command:
    """`weight` from 0 to 256, in force until the next reload."""
    return _set(backend, server, f"weight {whole(weight, 0, 256, 'a weight')}")


def set_state(backend: str, server: str, state: State) -> Command:
    return _set(backend, server, f"state {_one_of(state, 'ready', 'drain', 'maint')}")


def set_health(backend: str, server: str, health: Health) -> Command:
    """What the checks are to have found; the next check may find otherwise."""
    return _set(backend, server, f"health {_one_of(health, 'up', 'stopping', 'down')}")


def set_agent(backend: str, server: str, agent: Literal["up", "down"]) -> Command:
    return _set(backend, server, f"agent {_one_of(agent, 'up', 'down')}")


def set_addr(backend: str, server: str, address: str, port: int | None = None) -> Command:
    """New requests go there from then on. It also ends a maintenance for want of resolution."""
    return Command(f"set server {_server(backend, server)} addr {_place(address, port)}", _READDRESSED)


def set_check_addr(backend: str, server: str, address: str, port: int | None = None) -> Command:
    return _set(backend, server, f"check-addr {_place(address, port)}")


def set_check_port(backend: str, server: str, port: int) -> Command:
    """0: the server's own port."""
    return _set(backend, server, f"check-port {whole(port, 0, 65535, 'a port')}")


def set_agent_addr(backend: str, server: str, address: str, port: int | None = None) -> Command:
    return _set(backend, server, f"agent-addr {_place(address, port)}")


def set_agent_port(backend: str, server: str, port: int) -> Command:
    return _set(backend, server, f"agent-port {whole(port, 0, 65535, 'a port')}")


def set_agent_send(backend: str, server: str, text: str) -> Command:
    """What an agent is sent before it answers. Words that end a line are not to be had on this way."""
    return _set(backend, server, f"agent-send {word(text)}")


def set_fqdn(backend: str, server: str, fqdn: str) -> Command:
    """Of a server with `resolvers` alone."""
    says = r"(?:.* changed its FQDN from .* to .*|no need to change the FDQN.*)?\Z"
    return Command(f"set server {_server(backend, server)} fqdn {word(fqdn)}", says)


def set_tls(backend: str, server: str, *, on: bool) -> Command:
    """TLS to the server; its settings stand in the configuration. Not of servers added at run time."""
    return Command(f"set server {_server(backend, server)} ssl {'on' if on else 'off'}", _TLS_SET)


def set_server_maxconn(backend: str, server: str, maxconn: int) -> Command:
    """0: no limit."""
    return Command(
        f"set maxconn server {_server(backend, server)} {whole(maxconn, 0, _MOST, 'a limit of connections')}"
    )


def enable_health(backend: str, server: str) -> Command:
    return Command(f"enable health {_server(backend, server)}")


def disable_health(backend: str, server: str) -> Command:
    """Without checks a server counts as up."""
    return Command(f"disable health {_server(backend, server)}")


def enable_agent(backend: str, server: str) -> Command:
    return Command(f"enable agent {_server(backend, server)}")


def disable_agent(backend: str, server: str) -> Command:
    return Command(f"disable agent {_server(backend, server)}")


def add_server(backend: str, server: str, address: str, keywords: Iterable[str | int] = ()) -> Command:
    """`address` and `keywords` as they would stand in the configuration, without its quotes.

    It begins in maintenance, and unchecked until `enable_health`; `default-server` does not hold for it.
    """
    words = " ".join(word(str(each)) for each in (address, *keywords))
    return Command(f"add server {_server(backend, server)} {words}", _ADDED)


def del_server(backend: str, server: str) -> Command:
    """Of a server in maintenance, without connections and without anything that refers to it."""
    return Command(f"del server {_server(backend, server)}", _DELETED)


def shutdown_sessions(backend: str, server: str) -> Command:
    """Cut every connection to the server."""
    return Command(f"shutdown sessions server {_server(backend, server)}")


def _set(backend: str, server: str, what: str) -> Command:
    return Command(f"set server {_server(backend, server)} {what}")


@lru_cache(maxsize=32768)
def _server(backend: str, server: str) -> str:
    return f"{name(backend)}/{name(server)}"


def _place(address: str, port: int | None) -> str:
    try:
        text = str(ip_address(address))
    except ValueError as error:
        raise Bug("an address was to be one of IPv4 or IPv6", found=ascii(address)) from error
    if "%" in text:
        raise Bug("an address was to be without a zone", found=ascii(address))
    return text if port is None else f"{text} port {whole(port, 1, 65535, 'a port')}"


def _one_of(value: str, *those: str) -> str:
    if value not in those:
        raise Bug(f"one of {', '.join(those)} was wanted", found=ascii(value))
    return value
