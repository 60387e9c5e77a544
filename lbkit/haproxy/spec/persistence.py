"""What keeps a client at its server."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lbkit.base.model import Model
from lbkit.base.names import Form
from lbkit.base.units import Seconds
from lbkit.haproxy.spec.words import Token
from lbkit.health.values import DnsName

_OF_INSERT = (
    "dynamic",
    "indirect",
    "nocache",
    "postonly",
    "preserve",
    "httponly",
    "secure",
    "same_site",
    "domain",
    "max_idle",
    "max_life",
)


CookieValue = Annotated[
    str, Form(r"[A-Za-z0-9_.:~-]{1,64}", "a cookie's value: letters, digits, '_', '.', ':', '~' and '-'")
]


class Cookie(Model):
    """Keep a browser at its server by a cookie (http mode). `cookie: NAME` is written for `cookie: {name: NAME}`."""

    name: Token
    method: Literal["insert", "prefix", "rewrite"] = Field(
        "insert",
        description="insert: a cookie of HAProxy's own; prefix: the server's name before the value of the "
        "application's cookie; rewrite: in place of the value that the application sets",
    )
    dynamic: bool = Field(
        False,
        description="The value is made from the server's address instead of its name, so that it tells no name",
    )
    indirect: bool = Field(True, description="Servers do not see it")
    nocache: bool = Field(True, description="An answer that sets it is not to be cached")
    postonly: bool = Field(False, description="Only answers to POST set it")
    preserve: bool = Field(False, description="Leave it alone where the server sets it itself")
    httponly: bool = Field(True, description="Scripts in the browser do not see it")
    secure: bool = Field(False, description="The browser sends it over TLS alone")
    same_site: Literal["strict", "lax", "none"] | None = None
    domain: DnsName | None = None
    max_idle: Seconds | None = Field(None, description="It is ignored when it was not used for so long")
    max_life: Seconds | None = Field(None, description="It is ignored so long after it was first set")

    @model_validator(mode="after")
    def _fields_of_its_method(self) -> Self:
        wrong = [field for field in _OF_INSERT if field in self.model_fields_set]
        if self.method != "insert" and wrong:
            raise ValueError(f"`method: insert` for {', '.join(wrong)}")
        if self.same_site == "none" and not self.secure:
            raise ValueError("`secure: true` beside `same_site: none`: browsers drop it otherwise")
        return self


def _cookie(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


OneCookie = Annotated[Cookie, BeforeValidator(_cookie, json_schema_input_type=Cookie | Token)]


class Persist(Model):
    """Keep a client at its server by a table of addresses. `persist: source` is written for `persist: {by: source}`."""

    by: Literal["source"] = "source"
    expire: Seconds = Field(1800.0, description="After its last connection a client is forgotten")
    size: Annotated[int, Field(ge=1, le=100_000_000)] = Field(
        100_000, description="Clients; beyond it the oldest is forgotten"
    )


def _persist(value: object) -> object:
    return {"by": value} if isinstance(value, str) else value


OnePersist = Annotated[Persist, BeforeValidator(_persist, json_schema_input_type=Persist | Literal["source"])]
