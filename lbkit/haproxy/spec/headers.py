"""Headers of requests and responses."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Form

HeaderName = Annotated[str, Form("[A-Za-z0-9_-]{1,128}", "a header's name: letters, digits, '-' and '_'")]
"""The part of RFC 9110's token that means nothing to HAProxy."""

_FRAMING = {"connection", "content-length", "transfer-encoding", "upgrade"}


def _free(name: str) -> str:
    if name.lower() in _FRAMING:
        raise ValueError("a header that does not say where a message ends: HAProxy itself writes those")
    return name


def _header_value(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("a header's value: one line, without spaces at its ends")
    return text


HeaderValue = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_header_value)]
"""Text of one line (RFC 9110, 5.5). What is not ASCII is sent as UTF-8."""

ChangedName = Annotated[HeaderName, AfterValidator(_free)]


class Changes(Model):
    """First headers are removed, then set, then added. Values are plain text: nothing in them is expanded."""

    remove: Annotated[tuple[ChangedName, ...], Field(max_length=64), OneOrMany()] = ()
    set: dict[ChangedName, HeaderValue] = Field(
        default_factory=dict, max_length=64, description="Instead of what is there"
    )
    add: dict[ChangedName, HeaderValue] = Field(
        default_factory=dict, max_length=64, description="Beside what is there"
    )


class Headers(Model):
    request: Changes = Field(
        Changes(), description="On the way to servers; routes look at what was there before"
    )
    response: Changes = Field(
        Changes(), description="On the way to clients, also of what HAProxy itself answers"
    )
