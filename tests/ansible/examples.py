"""What EXAMPLES blocks say: their tasks with the arguments that a module would get, as far as text alone can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jinja2
import jinja2.nodes
import yaml
from ansible.parsing.splitter import parse_kv

TASKS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
ACTIONS = ("action", "local_action")
_JINJA = jinja2.Environment(autoescape=True)  # parses only


class Verbatim(str):
    """A text that is no template: encrypted, or marked as unsafe."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """YAML as Ansible has it."""

    def verbatim(self, node: yaml.ScalarNode) -> Verbatim:
        return Verbatim(self.construct_scalar(node))


for _tag in ("!vault", "!vault-encrypted", "!unsafe"):
    _Loader.add_constructor(_tag, _Loader.verbatim)


@dataclass(frozen=True)
class Task:
    module: str
    arguments: dict[str, Any]
    keywords: dict[str, Any]  # of the task and, below them, what its play and blocks say

    @property
    def name(self) -> str:
        return str(self.keywords.get("name", self.module))


def tasks(text: str, prefix: str = "lbkit.core.") -> Iterator[Task]:
    """The tasks of `prefix`'s modules in EXAMPLES: a list of tasks or of plays, in any number of documents."""
    for document in yaml.load_all(text, _Loader):
        if not isinstance(document, list):
            raise TypeError(f"examples are a list of tasks or of plays, not {document!r}")
        yield from _below(document, {}, prefix)


def _below(entries: list[dict[str, Any]], around: dict[str, Any], prefix: str) -> Iterator[Task]:
    for entry in entries:
        keywords = {**around, **{key: value for key, value in entry.items() if key not in TASKS}}
        for part in TASKS:
            yield from _below(entry.get(part) or [], keywords, prefix)
        called = _called(entry, prefix)
        if called:
            yield Task(*called, keywords)


def _called(entry: dict[str, Any], prefix: str) -> tuple[str, dict[str, Any]] | None:
    """The module without its prefix, and its arguments; they may be free form, or stand in `args` or `action`."""
    for key, value in entry.items():
        given = value
        name = str(key)
        if key in ACTIONS:
            if isinstance(value, dict):
                given = {part: each for part, each in value.items() if part != "module"}
                name = value["module"]
            else:
                name, _, given = value.partition(" ")
        if name.startswith(prefix):
            if isinstance(given, str):
                given = parse_kv(given)
            return name.removeprefix(prefix), {**(entry.get("args") or {}), **(given or {})}
    return None


def texts(value: object) -> Iterator[str]:
    """All texts within a value that Ansible would take for templates."""
    if isinstance(value, Verbatim):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(key)
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def parsed(text: str) -> None:
    """jinja2.TemplateSyntaxError where no template is."""
    _JINJA.parse(text)


def lookups(text: str, prefix: str = "lbkit.core.") -> Iterator[tuple[str, int, list[str]]]:
    """Of each lookup of `prefix` in a template, or in an expression as `when` has it: name, number of terms, names of options."""
    if prefix not in text:
        return
    tree = _JINJA.parse(text if "{{" in text else "{{ " + text + " }}")
    for call in tree.find_all(jinja2.nodes.Call):
        first = call.args[0] if call.args else None
        named = isinstance(call.node, jinja2.nodes.Name) and call.node.name in {"lookup", "query", "q"}
        if named and isinstance(first, jinja2.nodes.Const) and str(first.value).startswith(prefix):
            name = str(first.value).removeprefix(prefix)
            yield name, len(call.args) - 1, [keyword.key for keyword in call.kwargs]


def filled_in(value: Any, option: dict[str, Any]) -> Any:
    """`value` with something of the option's type where a whole value is a template: what it gives nobody can know here."""
    if isinstance(value, Verbatim):
        return value
    if isinstance(value, str) and value.strip().startswith("{{") and value.strip().endswith("}}"):
        return sample(option)
    if isinstance(value, dict):
        options = option.get("options") or {}
        return {key: filled_in(each, options.get(key, {})) for key, each in value.items()}
    if isinstance(value, list):
        element = {**option, "type": option.get("elements", "raw")}
        return [filled_in(each, element) for each in value]
    return value


def sample(option: dict[str, Any]) -> Any:
    """A value that the option takes."""
    if option.get("choices"):
        choice = option["choices"][0]
        return [choice] if option.get("type") == "list" else choice
    if option.get("type") == "list":
        element = {**option, "type": option.get("elements", "raw")}
        return [sample(element)]
    if option.get("type") == "dict":
        options = option.get("options") or {}
        return {key: sample(each) for key, each in options.items() if each.get("required")}
    samples = {"int": 1, "float": 1.0, "bool": True, "bytes": "1K", "bits": "1Kb", "jsonarg": "{}"}
    return samples.get(option.get("type", "str"), "text")
