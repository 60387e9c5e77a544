"""Where a frontend listens."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import BeforeValidator, Field

from lbkit.base.model import Model
from lbkit.haproxy.spec.raw import RawWords
from lbkit.haproxy.spec.tls import OneBindTls
from lbkit.haproxy.spec.words import Port
from lbkit.network.spec import IPAddress

_ADDRESS_AND_PORT = re.compile(
    r"(?:(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+|\*)?):)?(?P<port>\d{1,5})\Z", re.ASCII
)


class Bind(Model):
    """Where a frontend listens. Without an address: on all of the machine's, and so on the virtual one too."""

    address: IPAddress | None = None
    port: Port
    accept_proxy: bool = Field(
        False,
        description="Clients come through a proxy that says who they are (PROXY protocol); no other may come",
    )
    tls: OneBindTls | None = Field(None, description="Speak TLS there, with these certificates")
    raw: RawWords | None = Field(
        None, description="More words of its line `bind`, as they are, for what has no key: `tfo name public`"
    )


def _bind(value: object) -> object:
    """80, "80", ":80", "*:80", "10.80.0.10:80" and "[fd00::10]:80" are written for `{address, port}`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    if isinstance(value, str):
        match = _ADDRESS_AND_PORT.match(value)
        if match is None:
            raise ValueError("a port, ADDRESS:PORT, [IPV6]:PORT, or address and port")
        host = match["six"] or match["four"]
        port = int(match["port"])
        return {"port": port} if host in {None, "*"} else {"address": ip_address(host), "port": port}
    return value


OneBind = Annotated[Bind, BeforeValidator(_bind, json_schema_input_type=Bind | Port | str)]
