"""Routes: which backend, redirect or refusal a request gets, by its host and its path; a connection, by its SNI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Label
from lbkit.haproxy.spec.headers import HeaderName, HeaderValue
from lbkit.haproxy.spec.urls import HostPattern, Location, PathRegex, UrlPath, UrlPrefix

HTTP_CONDITIONS = ("host", "path", "path_prefix", "path_regex", "headers")
ACTIONS = ("backend", "redirect", "reject")

Reject = Literal[400, 401, 403, 404, 410, 429, 503]
RedirectCode = Literal[301, 302, 303, 307, 308]


class Redirect(Model):
    to: Location = Field(description="A URL, or a path of the same host")
    code: RedirectCode = 302
    keep_path: bool = Field(False, description="Append the path and query of the request")

    @model_validator(mode="after")
    def _room_for_a_path(self) -> Redirect:
        if self.keep_path and ("?" in self.to or "#" in self.to or self.to == "/"):
            raise ValueError("with keep_path: where the request's path can follow, without '?' and '#'")
        return self


class Route(Model):
    """Of all routes that fit, the most particular is taken, wherever it stands in the list."""

    host: Annotated[tuple[HostPattern, ...], Field(max_length=256), OneOrMany()] = Field(
        (), description="shop.example.test; *.example.test: all one label below. By default any"
    )
    path: UrlPath | None = Field(None, description="Just this path")
    path_prefix: UrlPrefix | None = Field(
        None, description="This path and all below it: /api is /api and /api/x, not /apix"
    )
    path_regex: PathRegex | None = Field(None, description="Paths that fit as a whole")
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, max_length=4, description="Headers that the request has, with just these values"
    )
    sni: Annotated[tuple[HostPattern, ...], Field(max_length=256), OneOrMany()] = Field(
        (), description="In tcp mode: the host that a TLS client asks for"
    )
    backend: Label | None = None
    redirect: Redirect | None = None
    reject: Reject | None = Field(None, description="Answer with this status")

    @model_validator(mode="after")
    def _one_meaning(self) -> Route:
        said = [name for name in ("path", "path_prefix", "path_regex") if getattr(self, name) is not None]
        if len(said) > 1:
            raise ValueError(f"one of path, path_prefix and path_regex, not {' and '.join(said)}")
        if self.sni and self.is_http:
            raise ValueError("either sni (tcp mode) or host, path and headers (http mode)")
        if not self.sni and not self.is_http:
            raise ValueError("a condition: host, path, path_prefix, path_regex or headers; in tcp mode sni")
        actions = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(actions) != 1:
            raise ValueError(f"one of backend, redirect and reject, not {' and '.join(actions) or 'none'}")
        if self.sni and self.backend is None:
            raise ValueError("a backend: a connection cannot be redirected or answered")
        lower = [name.lower() for name in self.headers]
        if len(set(lower)) < len(lower):
            raise ValueError("each header once: their names are the same in upper and lower case")
        return self

    @property
    def is_http(self) -> bool:
        """It has a condition that only a request can meet."""
        return any(getattr(self, name) for name in HTTP_CONDITIONS)
