"""Where HAProxy's log goes beside its own file, and what a line of it says."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lbkit.base.model import Model
from lbkit.haproxy.spec.words import Port
from lbkit.health.values import OneLine
from lbkit.network.spec import IPAddress

Level = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
    "uucp", "cron", "auth2", "ftp", "ntp", "audit", "alert", "cron2",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip


class Endpoint(Model):
    """An address with a port: `10.0.0.5:514` and `[fd00::5]:514` are written for `{address, port}`."""

    address: IPAddress
    port: Port


def endpoint_with(default: int) -> BeforeValidator:
    """Reads `ADDRESS`, `IPV4:PORT` and `[IPV6]:PORT`."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        host, port = value, str(default)
        if value.startswith("["):
            host, closed, rest = value[1:].partition("]")
            if not closed or (rest and not rest.startswith(":")):
                raise ValueError("ADDRESS, IPV4:PORT or [IPV6]:PORT")
            port = rest[1:] if rest else port
        elif value.count(":") == 1:
            host, _, port = value.partition(":")
        if not (port.isascii() and port.isdigit() and len(port) <= 5):
            raise ValueError("a port of 1 to 65535")
        try:
            return {"address": ip_address(host), "port": int(port)}
        except ValueError:
            raise ValueError("an address, not a name: ADDRESS, IPV4:PORT or [IPV6]:PORT") from None

    return BeforeValidator(read, json_schema_input_type=Endpoint | str)


class LogTarget(Model):
    """A syslog server, by UDP. An unreachable one loses lines, and never holds up a request."""

    address: Annotated[Endpoint, endpoint_with(514)]
    facility: Facility = "local0"
    level: Level | None = Field(
        None, description="The least that it gets; by default the load balancer's log_level"
    )
    format: Literal["rfc3164", "rfc5424", "local", "short", "priority", "timed", "iso", "raw"] = "rfc3164"
    length: Annotated[int, Field(ge=80, le=65535)] = Field(
        1024, description="Bytes of a line; the rest is cut"
    )


def _target(value: object) -> object:
    return {"address": value} if isinstance(value, str) else value


OneLogTarget = Annotated[LogTarget, BeforeValidator(_target, json_schema_input_type=LogTarget | str)]
"""`log: 10.0.0.5` is written for `log: {address: 10.0.0.5}`."""

PRESETS = ("standard", "clf", "json")


def _format(text: str) -> str:
    if text not in PRESETS and "%" not in text:
        raise ValueError(f'{", ".join(PRESETS)}, or a format of your own with %: "%ci %ST %Ta"')
    return text


LogFormat = Annotated[OneLine, AfterValidator(_format)]
"""A preset, or log-format (configuration manual, 8.2.4)."""
