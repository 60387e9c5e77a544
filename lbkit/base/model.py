"""The base of everything a person declares: frozen, and strict about names it does not know."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, str_strip_whitespace=False)


class Worded(Model):
    """May be written as one word, where there is no more to say."""

    word: ClassVar[str]
    """What the word is, for the JSON Schema."""

    @classmethod
    @abstractmethod
    def of_word(cls, word: str) -> dict[str, Any]:
        """What is written with the word alone."""

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: object) -> object:
        return cls.of_word(value) if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        whole = dict(schema)
        schema.clear()
        schema["anyOf"] = [{"type": "string", "description": cls.word}, whole]
        return schema


class OneOrMany:
    """Metadata of a list type: `x` may be written for `[x]`. What else is said of the list stands before it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) or value is None else [value]
