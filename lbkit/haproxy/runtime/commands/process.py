"""Commands about the whole process, and about a frontend (management guide, 9.3)."""

from __future__ import annotations

from lbkit.haproxy.runtime.command import Command, name, whole, word

_MOST = 2**31 - 1


def set_global_maxconn(maxconn: int) -> Command:
    """Up to the number that the process began with; 0: that number again."""
    return Command(f"set maxconn global {whole(maxconn, 0, _MOST, 'a limit of connections')}")


def set_frontend_maxconn(frontend: str, maxconn: int) -> Command:
    return Command(
        f"set maxconn frontend {name(frontend)} {whole(maxconn, 0, _MOST, 'a limit of connections')}"
    )


def enable_frontend(frontend: str) -> Command:
    return Command(f"enable frontend {name(frontend)}")


def disable_frontend(frontend: str) -> Command:
    """It lets go of its ports, until `enable_frontend`."""
    return Command(f"disable frontend {name(frontend)}")


def clear_table(table: str, key: str | None = None) -> Command:
    """Forget one key of a stick table, or all of them."""
    return Command(f"clear table {name(table)}" + ("" if key is None else f" key {word(key)}"))
