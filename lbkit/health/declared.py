"""A health check that stands for itself, as a person declares it: checked, with all that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lbkit.base.errors import Mistake
from lbkit.base.problems import InvalidDocument, Problem, near
from lbkit.health.spec import Expect, HealthCheck

_SAID = "Value error, "


def declared(data: Mapping[str, Any], *, verified: bool = False) -> HealthCheck:
    """InvalidDocument with every mistake; Mistake where it says what only a load balancer does. `verified`: certificates are."""
    try:
        check = HealthCheck.model_validate(dict(data))
    except ValidationError as error:
        raise InvalidDocument(
            "the health check", [_problem(each) for each in error.errors(include_url=False)]
        ) from error
    if check.agent is not None:
        raise Mistake(
            "a check was to ask the server itself",
            found="`agent`: a service beside it, which HAProxy alone asks",
            remedy="leave `agent` out, or check its port: `{protocol: tcp, port: ...}`",
        )
    if verified and not check.forces_tls:
        raise Mistake(
            "a certificate was to be verified",
            found=f"`protocol: {check.protocol}`, which has none",
            remedy="`protocol: https` or `tls`",
        )
    return check


def _problem(error: Mapping[str, Any]) -> Problem:
    path = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        known = Expect.model_fields if path[:-1] == ("expect",) else HealthCheck.model_fields
        return Problem(path, "a key that a health check has", remedy=near(str(path[-1])[:80], known))
    words = str(error["msg"]).removeprefix(_SAID)
    return Problem(path, words, repr(error.get("input"))[:200] if path else "")
