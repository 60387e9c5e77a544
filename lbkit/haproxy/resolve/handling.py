"""What of a frontend's handling does not go with its mode and its binds."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.spec.frontend import Frontend
from lbkit.haproxy.spec.handling import HTTP_ALONE


def misfits(frontend: Frontend) -> Iterator[tuple[str, str, str]]:
    """The field, what was wanted there, what was found."""
    if frontend.mode == "tcp":
        for name in HTTP_ALONE:
            if getattr(frontend, name) != type(frontend).model_fields[name].get_default(
                call_default_factory=True
            ):
                yield name, "nothing about HTTP in tcp mode", "a frontend of mode tcp"
        return
    speaks_tls = any(bind.tls is not None for bind in frontend.bind)
    if frontend.hsts is not None and not speaks_tls:
        yield "hsts", "a bind with tls: browsers believe this header by TLS only", "none"
    if frontend.https_redirect is not None and all(bind.tls is not None for bind in frontend.bind):
        yield "https_redirect", "a bind without tls, whose clients can be sent elsewhere", "tls at all binds"
