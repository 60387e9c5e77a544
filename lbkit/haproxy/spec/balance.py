"""How requests are spread over servers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lbkit.base.model import Model
from lbkit.base.names import Form

_NAME = "[A-Za-z0-9_-]{1,64}"
BALANCE = (
    r"roundrobin|static-rr|leastconn|first|source|uri|random(\([1-9][0-9]?\))?"
    rf"|(hdr|url_param)\({_NAME}\)|rdp-cookie(\({_NAME}\))?"
)
Balance = Annotated[
    str,
    StringConstraints(max_length=80),
    Form(
        BALANCE,
        "roundrobin, static-rr, leastconn, first, source, random, random(2), uri, hdr(NAME), url_param(NAME), "
        "rdp-cookie or rdp-cookie(NAME)",
    ),
]

HASHING = ("source", "uri", "hdr", "url_param", "rdp-cookie")
"""Algorithms that hash: with a consistent one, a server that comes or goes moves only its own share."""

OF_HTTP = ("uri", "hdr", "url_param")
"""Those that read the request (configuration manual, 4.2 "balance")."""

MOST_IN_TURN = 4095
"""Servers that roundrobin can have (the same place)."""

_OF_ALGORITHM = {
    "depth": "uri",
    "length": "uri",
    "whole": "uri",
    "path_only": "uri",
    "check_post": "url_param",
    "domain_only": "hdr",
}


def algorithm_of(balance: str) -> tuple[str, str]:
    """`url_param(id)` in two: the algorithm and its argument, "" where it has none."""
    name, _, argument = balance.removesuffix(")").partition("(")
    return name, argument


class Hash(Model):
    """Of algorithms that hash: what is hashed, and how a server is found by it."""

    type: Literal["consistent", "map-based"] = Field(
        "consistent",
        description="consistent: a server that comes or goes moves its own share alone; "
        "map-based: smoother, but then nearly all shares move, and each change of servers needs a reload",
    )
    function: Literal["sdbm", "djb2", "wt6", "crc32"] | None = Field(None, description="By default sdbm")
    avalanche: bool = Field(False, description="Mix the hash's bits once more")
    balance_factor: Annotated[int, Field(ge=101, le=10_000)] | None = Field(
        None,
        description="No server gets more than so many percent of the average load (consistent, and random)",
    )
    depth: Annotated[int, Field(ge=1, le=1024)] | None = Field(None, description="Of uri: directories")
    length: Annotated[int, Field(ge=1, le=65_535)] | None = Field(None, description="Of uri: characters")
    whole: bool = Field(False, description="Of uri: the query string too")
    path_only: bool = Field(False, description="Of uri: begin at the path, also where a host stands before")
    check_post: bool = Field(False, description="Of url_param: look into the body of a POST as well")
    domain_only: bool = Field(False, description="Of hdr: the main part of a host's name alone")

    def misplaced(self, balance: str) -> list[str]:
        """The fields that are written and mean nothing to this algorithm."""
        name, _ = algorithm_of(balance)
        written = sorted(self.model_fields_set)
        if name == "random":
            return [field for field in written if field != "balance_factor"]
        if name not in HASHING:
            return written
        return [
            field
            for field in written
            if _OF_ALGORITHM.get(field, name) != name
            or (field == "balance_factor" and self.type == "map-based")
        ]
