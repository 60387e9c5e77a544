"""Words of a person's that reach HAProxy: types that refuse what would mean something else there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

PEERS = "members"
"""Name of the section `peers`."""
RESOLVERS = "names"
"""Name of the section `resolvers`."""

Port = Annotated[int, Field(ge=1, le=65535)]
Mode = Literal["http", "tcp"]
State = Literal["ready", "drain", "maintenance"]
Connections = Annotated[int, Field(ge=1, le=10_000_000)]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
"""A name inside HTTP (a cookie): the part of RFC 9110's token that means nothing to HAProxy either."""
