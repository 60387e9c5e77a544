"""What makes browsers come by TLS."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lbkit.base.model import Model
from lbkit.haproxy.spec.words import Port


class HttpsRedirect(Model):
    """Requests without TLS are sent to the same place with it."""

    code: Literal[301, 302, 307, 308] = 301
    port: Port = 443


class Hsts(Model):
    """Strict-Transport-Security (RFC 6797): browsers that saw it come by TLS only, for so long."""

    days: Annotated[int, Field(ge=0, le=3650)] = Field(365, description="0 makes browsers forget it")
    subdomains: bool = Field(False, description="For all hosts below, too")
    preload: bool = Field(False, description="Agree to be listed in browsers; hard to take back")


def _on(value: object) -> object:
    return {} if value is True else None if value is False else value


OneHttpsRedirect = Annotated[
    HttpsRedirect | None, BeforeValidator(_on, json_schema_input_type=HttpsRedirect | bool | None)
]
OneHsts = Annotated[Hsts | None, BeforeValidator(_on, json_schema_input_type=Hsts | bool | None)]
