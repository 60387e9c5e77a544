"""The way to a HAProxy by the address of its runtime socket."""

from __future__ import annotations

import re
import socket

from lbkit.base.errors import Failure, Mistake
from lbkit.haproxy.runtime import Runtime

TIMEOUT = 10.0
"""Seconds that HAProxy may be silent, by default."""

_PORT = re.compile(r"(?P<host>[^/]+):(?P<port>\d{1,5})", re.ASCII)


def where_of(address: str) -> str:
    """A HAProxy as errors name it."""
    return f"HAProxy at {address}"


def reach(address: str, timeout: float = TIMEOUT) -> Runtime:
    """A connection to the runtime socket at `address`, a path or HOST:PORT (an IPv6 host in brackets).

    The caller closes it (`with`). Failure where nobody answers there.
    """
    if timeout <= 0:
        raise Mistake("the timeout of a runtime socket was to be more than 0 s", found=f"{timeout:g}")
    where = where_of(address)
    try:
        connection = _connected(address, timeout)
    except (OSError, ValueError) as error:
        found = f"no answer in {timeout:g} s" if isinstance(error, TimeoutError) else _words(error)
        raise Failure(
            "a HAProxy was to answer at its runtime socket",
            found=found,
            where=where,
            remedy="its configuration needs `stats socket ... level admin`, and this user the right to it",
        ) from error
    return Runtime(connection, where=where)


def _connected(address: str, timeout: float) -> socket.socket:
    match = _PORT.fullmatch(address)
    if match:
        return socket.create_connection((match["host"].strip("[]"), int(match["port"])), timeout)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(address)
    except (OSError, ValueError):
        connection.close()
        raise
    return connection


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
