"""Whether the language takes a value: asked of its own models, so that what is imported loads."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from lbkit.base.model import Model
from lbkit.haproxy.spec.raw import RawBackend, RawDefaults, RawFrontend, RawGlobal, RawSection, RawWords

_RAW = {
    "global": RawGlobal,
    "defaults": RawDefaults,
    "frontend": RawFrontend,
    "backend": RawBackend,
    "section": RawSection,
}


@lru_cache(maxsize=256)
def _of_key(model: type[Model], key: str) -> TypeAdapter[Any]:
    field = model.model_fields[key]
    kind: Any = field.annotation
    return TypeAdapter(Annotated[(kind, *field.metadata)] if field.metadata else kind)


@lru_cache(maxsize=16)
def _of_raw(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_RAW[kind])


@lru_cache(maxsize=16)
def _of_type(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def misfit(model: type[Model], key: str, value: object) -> str:
    """What is wrong with `value` as that key of the model; "" where it fits."""
    return _wrong(_of_key(model, key), value)


def misfit_of(kind: Any, value: object) -> str:
    return _wrong(_of_type(kind), value)


def misfit_as_raw(kind: str, line: str) -> str:
    return _wrong(_of_raw(kind), [line])


def misfit_as_words(words: str) -> str:
    return _wrong(_of_type(RawWords), words)


def _wrong(adapter: TypeAdapter[Any], value: object) -> str:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    return ""
