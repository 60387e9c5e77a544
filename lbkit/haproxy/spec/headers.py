"""Headers of requests and responses."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from lbkit.base.names import Form

HeaderName = Annotated[str, Form("[A-Za-z0-9_-]{1,128}", "a header's name: letters, digits, '-' and '_'")]
"""The part of RFC 9110's token that means nothing to HAProxy."""


def _header_value(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("a header's value: one line, without spaces at its ends")
    return text


HeaderValue = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_header_value)]
"""Text of one line (RFC 9110, 5.5). What is not ASCII is sent as UTF-8."""
