"""The base of everything a person declares: frozen, and strict about names it does not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, str_strip_whitespace=False)
