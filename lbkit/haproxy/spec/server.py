"""Servers of a backend: the machines of a group, a mirror's nodes, or one that lbkit does not make."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Discriminator, Field, Tag, model_validator

from lbkit.base.model import Model
from lbkit.base.names import Label
from lbkit.haproxy.spec.persistence import CookieValue
from lbkit.haproxy.spec.raw import RawWords
from lbkit.haproxy.spec.words import Connections, Port, State
from lbkit.health.values import DnsName
from lbkit.network.spec import IPAddress


class _ServerSettings(Model):
    weight: Annotated[int, Field(ge=0, le=256)] = Field(1, description="Share of the traffic; 0 gets none")
    backup: bool = Field(False, description="Gets traffic only while no other server is up")
    maxconn: Connections | None = Field(None, description="Requests beyond it wait in the queue")
    minconn: Connections | None = Field(
        None, description="The limit while the backend has few connections; it grows to maxconn"
    )
    maxqueue: Connections | None = Field(
        None, description="Requests that may wait for this server; others go elsewhere"
    )
    state: State = Field(
        "ready", description="drain: it keeps its sessions and gets no new ones; maintenance: it gets nothing"
    )

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.minconn is not None and (self.maxconn is None or self.minconn > self.maxconn):
            raise ValueError("`maxconn` beside `minconn`, and not below it")
        return self


class GroupServers(_ServerSettings):
    """One server for each machine of a group, named as the machine."""

    machines: Label
    network: Label | None = Field(
        None, description="Where the machines are reached; by default the first of theirs that is shared"
    )
    port: Port


class MirrorServers(_ServerSettings):
    """One server for each node of a mirror, named as its machine. The backend's others are of no other kind."""

    mirror: Label
    network: Label | None = Field(
        None, description="Where the nodes are reached; by default the first of theirs that is shared"
    )


class AddressServer(_ServerSettings):
    """A server that lbkit does not make."""

    name: Label
    address: IPAddress | DnsName = Field(
        description="Or a name, which the load balancer's `resolvers` are asked for"
    )
    port: Port
    check: bool = Field(True, description="false: this one is not checked, whatever the backend says")
    cookie: CookieValue | None = Field(
        None, description="What stands for it in the backend's `cookie`; by default its name"
    )
    raw: RawWords | None = Field(
        None,
        description="More words of its line `server`, as they are, for what has no key: `redir http://a`",
    )


def _which(value: object) -> str | None:
    if isinstance(value, Model):
        return {GroupServers: "group", MirrorServers: "nodes"}.get(type(value), "single")
    if not isinstance(value, dict):
        return None
    found = {_BY.get(str(key), "") for key in value} - {""}
    return found.pop() if len(found) == 1 else None


_BY = {"machines": "group", "mirror": "nodes", "name": "single", "address": "single"}
"""Which kind of server it is, by the key that only this kind has."""


OneServer = Annotated[
    Annotated[GroupServers, Tag("group")]
    | Annotated[MirrorServers, Tag("nodes")]
    | Annotated[AddressServer, Tag("single")],
    Discriminator(
        _which,
        custom_error_type="server",
        custom_error_message="a server: either machines and port, or mirror, or name, address and port",
    ),
]
