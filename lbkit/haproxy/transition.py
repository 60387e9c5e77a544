"""The way from the HAProxy that runs to the one that is wanted. Pure: what is known of both in, what to do out.

Today's answers are: start it, reload it, or nothing. A transition that changes the running process by its
Runtime API instead belongs here, as more steps between nothing and a reload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import islice

from lbkit.haproxy.text.render import digest_in

_FLAGS = frozenset({"backup", "check"})  # words of a server line that take no value


@dataclass(frozen=True, slots=True)
class Running:
    """What there is: the file's text, whether the process lives, and the digest that it says it has loaded.

    `loaded` is None where it does not live, does not answer, or runs what lbkit did not write.
    """

    text: str | None
    alive: bool
    answers: bool = False
    loaded: str | None = None


class Step(StrEnum):
    NOTHING = "nothing"
    WRITE = "write"  # the process is as wanted, its file is not
    START = "start"
    RESTART = "restart"  # it lives, but nobody can speak to it
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class Transition:
    step: Step
    reason: str = ""


def transition(running: Running, wanted: str) -> Transition:
    """What to do so that HAProxy runs the configuration `wanted` (its text)."""
    if running == Running(wanted, alive=True, answers=True, loaded=digest_in(wanted)):
        return Transition(Step.NOTHING)
    changes = differences(running.text, wanted) if running.text is not None else ()
    also = f"; its configuration changes: {words(changes)}" if changes else ""
    if not running.alive:
        return Transition(Step.START, f"HAProxy does not run{also}")
    if not running.answers:
        return Transition(Step.RESTART, f"HAProxy runs, but does not answer at its runtime socket{also}")
    if running.text == wanted:
        return Transition(Step.RELOAD, "the running HAProxy has not loaded its file")
    if running.loaded == digest_in(wanted):
        return Transition(
            Step.WRITE, "its file is not what the running HAProxy has loaded; that is as wanted"
        )
    return Transition(Step.RELOAD, words(changes) or "its file is not as lbkit writes it")


@dataclass(frozen=True, slots=True)
class Section:
    """`kind` and `name` as at its head; `lines` in order; `servers` by name."""

    lines: tuple[str, ...] = ()
    servers: Mapping[str, str] = field(default_factory=dict)


Sections = Mapping[tuple[str, str], Section]


@lru_cache(maxsize=64)
def sections(text: str) -> Sections:
    """A configuration's text, taken apart. Of a text that lbkit did not write: as far as it is written alike."""
    found: dict[tuple[str, str], tuple[list[str], dict[str, str]]] = {}
    lines: list[str] = []
    servers: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith(("#", "description ")):  # the digest in it changes with anything
            continue
        if not raw[0].isspace():
            kind, _, name = line.partition(" ")
            lines, servers = found.setdefault((kind, name.strip()), ([], {}))
        elif line.startswith("server ") and len(line.split(None, 2)) == 3:
            _, name, rest = line.split(None, 2)
            servers[name] = rest
        else:
            lines.append(line)
    return {head: Section(tuple(lines), servers) for head, (lines, servers) in found.items()}


def server_names(text: str) -> frozenset[str]:
    return frozenset(name for section in sections(text).values() for name in section.servers)


def bound_ports(text: str) -> frozenset[str]:
    """The ports that frontends listen on."""
    return frozenset(
        line.split()[1].rpartition(":")[2]
        for (kind, _), section in sections(text).items()
        if kind == "frontend"
        for line in section.lines
        if line.startswith("bind ")
    )


def unchanged_servers(before: str, after: str) -> frozenset[tuple[str, str]]:
    """(backend, server) of those that both texts have alike, in backends that are alike but for their servers.

    What the running process knows of these (drained, its weight, known to be down) holds for the next one too.
    """
    old, new = sections(before), sections(after)
    return frozenset(
        (head[1], name)
        for head, section in new.items()
        if head in old and old[head].lines == section.lines
        for name, line in section.servers.items()
        if old[head].servers.get(name) == line
    )


def differences(before: str, after: str) -> tuple[str, ...]:
    """What a person would say that has changed, section by section."""
    old, new = sections(before), sections(after)
    said: list[str] = []
    for head in [*new, *(head for head in old if head not in new)]:
        name = " ".join(head).strip()
        if head not in old:
            said.append(f"{name} is new")
        elif head not in new:
            said.append(f"{name} goes")
        else:
            said += _in_section(name, old[head], new[head])
    return tuple(said)


def words(said: Iterable[str], most: int = 6) -> str:
    said = list(said)
    more = len(said) - most
    return "; ".join(islice(said, most)) + (f"; and {more} more" if more > 0 else "")


def _in_section(name: str, old: Section, new: Section) -> list[str]:
    said = []
    came = [server for server in new.servers if server not in old.servers]
    went = [server for server in old.servers if server not in new.servers]
    changed = [
        _server_change(server, old.servers[server], line)
        for server, line in new.servers.items()
        if server in old.servers and old.servers[server] != line
    ]
    if came:
        said.append(f"{name}: server{_s(came)} {_names(came)} added")
    if went:
        said.append(f"{name}: server{_s(went)} {_names(went)} removed")
    said += [f"{name}: {change}" for change in changed]
    keywords = _keywords(set(old.lines) ^ set(new.lines))
    if keywords:
        said.append(f"{name}: {_names(keywords)} {'changes' if len(keywords) == 1 else 'change'}")
    elif old.lines != new.lines or (list(old.servers) != list(new.servers) and not came and not went):
        said.append(f"{name}: another order")
    return said


def _server_change(name: str, old: str, new: str) -> str:
    (was, *old_words), (now, *new_words) = old.split(), new.split()
    if was != now:
        return f"server {name} moves from {was} to {now}"
    before, after = _settings(old_words), _settings(new_words)
    said = [
        f"{key} {before.get(key, 'none')} -> {after.get(key, 'none')}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]
    return f"server {name}: {', '.join(said) or 'another order'}"


def _settings(words: list[str]) -> dict[str, str]:
    """The keywords of a server line with their values; of those that take none, "yes"."""
    rest = iter(words)
    return {word: "yes" if word in _FLAGS else next(rest, "") for word in rest}


def _keywords(lines: Iterable[str]) -> list[str]:
    """The keywords of lines, with their second word where the first says little."""
    found = set()
    for line in lines:
        first, *rest = line.split()
        found.add(
            f"{first} {rest[0]}" if first in {"timeout", "option", "http-check", "stats"} and rest else first
        )
    return sorted(found)


def _names(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _s(names: list[str]) -> str:
    return "" if len(names) == 1 else "s"
