"""What a person declares of mirrors."""

from __future__ import annotations

import re
from datetime import time
from pathlib import PurePosixPath
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    RootModel,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from lbkit.base.errors import Mistake
from lbkit.base.model import Model, Worded
from lbkit.base.names import Form, Label, Printable
from lbkit.base.units import Seconds, Size
from lbkit.mirror.keeper.cron import Cron

Port = Annotated[int, Field(ge=1, le=65535)]
ModuleName = Annotated[
    str, Form("[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", "a module's name: letters, digits, '.', '_' and '-'")
]
Pattern = Annotated[Printable, StringConstraints(min_length=1, max_length=255, pattern=r"^[^-+]")]
"""As rsync(1) has them, FILTER RULES; not of its other rules ("- ", "+ ")."""

_PERCENT = r"^[0-9]{1,3}(\.[0-9]+)?%$"
_RATE = re.compile(r"(.*[^/])/s\Z", re.ASCII)
_WINDOW = re.compile(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})\Z", re.ASCII)


def _part(value: object) -> object:
    if not isinstance(value, str) or not re.match(_PERCENT, value, re.ASCII) or float(value[:-1]) > 100:
        raise ValueError("a part such as 5% or 0.5%, at most 100%")
    return float(value[:-1]) / 100


Part = Annotated[float, BeforeValidator(_part), WithJsonSchema({"type": "string", "pattern": _PERCENT})]
"""0 to 1, written as 5%."""


def _rate(value: object) -> object:
    match = _RATE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a rate such as 50MiB/s")
    return match[1]


Rate = Annotated[
    Size,
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB|TiB)/s$"}),
]
"""Bytes a second."""


def _window(value: str) -> str:
    match = _WINDOW.match(value)
    try:
        since, until = (time.fromisoformat(part) for part in match.groups()) if match else (None, None)
    except ValueError:
        since = until = None
    if since is None or since == until:
        raise ValueError("a time of day such as 01:00-07:00")
    return value


def _cron(value: str) -> str:
    try:
        Cron.parse(value)
    except Mistake as error:
        raise ValueError(f"{error.wanted} ({error.found})") from error
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("a time zone such as Europe/Berlin or UTC")
    return value


def _absolute(value: str) -> str:
    path = PurePosixPath(value)
    if not path.is_absolute() or ".." in path.parts or not re.fullmatch(r"[A-Za-z0-9._/@+-]+", value):
        raise ValueError("an absolute path of letters, digits and . _ - @ +, without '..'")
    return str(path)


AbsolutePath = Annotated[str, StringConstraints(min_length=2, max_length=200), AfterValidator(_absolute)]


class SecretFile(Model):
    """Where a secret is: never in the document itself."""

    file: Annotated[Printable, Field(min_length=1)] = Field(
        description="Relative to the topology's folder, mode 600"
    )


class Upstream(Worded):
    """Where the content comes from."""

    word = "Its URL, where there is no more to say"

    url: Annotated[Printable, StringConstraints(min_length=2)] = Field(
        description="rsync://HOST/MODULE/PATH, ssh://USER@HOST/PATH, https://HOST/PATH/, or /PATH of the master's own disk"
    )
    password: SecretFile | None = Field(
        None, description="Of an rsync daemon, or of HTTP; the name stands in `url`"
    )
    key: SecretFile | None = Field(None, description="Of ssh: the private key")
    known_hosts: Annotated[Printable, Field(min_length=1)] | None = Field(
        None, description="Of ssh: a file with the host's key; relative to the topology's folder"
    )
    digests: Annotated[Printable, Field(min_length=1)] | None = Field(
        None, description="Of https: the list of files, as sha256sum(1) writes it; below `url`"
    )
    ca: Annotated[Printable, Field(min_length=1)] | None = Field(
        None,
        description="Of https: a file with the authorities that are trusted; relative to the topology's folder",
    )

    @classmethod
    def of_word(cls, word: str) -> dict[str, str]:
        """`rsync://...` is written for `{url: rsync://...}`."""
        return {"url": word}


class Schedule(Model):
    """When syncs begin by themselves; on a push and on a person's word they do in any case."""

    every: Annotated[Seconds, Field(ge=1)] | None = Field(
        None, description="From one run's begin to the next"
    )
    cron: (
        Annotated[Printable, StringConstraints(min_length=9, max_length=200), AfterValidator(_cron)] | None
    ) = Field(None, description="Five fields as in crontab(5), instead of `every`")
    window: (
        Annotated[
            str,
            StringConstraints(max_length=11),
            AfterValidator(_window),
            WithJsonSchema({"type": "string", "pattern": _WINDOW.pattern.removesuffix(r"\Z") + "$"}),
        ]
        | None
    ) = Field(None, description="The time of day when one may begin, 01:00-07:00; also over midnight")
    jitter: Seconds | None = Field(None, description="Up to so much later, so that not all begin at once")
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="The time zone of `cron` and `window`"
    )

    @model_validator(mode="after")
    def _one_rhythm(self) -> Schedule:
        if (self.every is None) == (self.cron is None):
            raise ValueError("either every or cron")
        return self


class Stage(Model):
    """A part of the tree that is fetched in its turn."""

    include: Annotated[
        str,
        Form(
            r"/|(?:[A-Za-z0-9_+~@][A-Za-z0-9._+~@-]*/)+",
            "a folder such as pool/ or dists/main/, or / for all else",
        ),
    ]
    contents: bool = Field(
        False, description="Compare by content, not by size and time: for files that are rewritten in place"
    )


class Guard(Model):
    """The most that one sync may change without a person's word."""

    delete: Part | None = Field(None, description="Of all files: 5%")
    shrink: Part | None = Field(None, description="Of all bytes: 20%")
    min_files: Annotated[int, Field(ge=0)] | None = Field(None, description="A tree has at least so many")


class Limits(Model):
    bandwidth: Rate | None = Field(None, description="From upstream, and to each node: 50MiB/s")
    connections: Annotated[int, Field(ge=1, le=64)] = Field(
        4,
        description="To an https upstream; to one by rsync two at most, by which it is looked at while files come; and how many nodes get from one source at a time",
    )
    timeout: Annotated[Seconds, Field(ge=1)] = Field(
        300.0, description="Without a byte, until a transfer is given up"
    )


class Freshness(Model):
    """Which nodes get clients."""

    max_lag: Annotated[int, Field(ge=0, le=100)] = Field(
        1, description="Generations that a node may be behind the committed one, and serve"
    )
    floor: Annotated[int, Field(ge=0, le=4096)] = Field(
        1, description="So many nodes serve whatever they have: the freshest, with an alarm"
    )
    quorum: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None,
        description="So many nodes must have a generation before it is committed; by default more than half",
    )
    contact: Annotated[Seconds, Field(ge=2, le=3600)] = Field(
        5.0, description="Without the master, until a node asks its neighbours whether it is cut off"
    )


class Http(Model):
    port: Port = 80


def _http(value: object) -> object:
    """`true` is written for all by default."""
    return {} if value is True else None if value is False else value


class Publish(Model):
    """How clients reach it on each node."""

    http: Annotated[Http | None, BeforeValidator(_http, json_schema_input_type=bool | Http)] = Field(
        Http(), description="http://NODE/NAME/"
    )
    module: ModuleName | None = Field(None, description="rsync://NODE/MODULE/: for everybody, read only")
    connections: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Clients of the module at a time"
    )


class Mirror(Model):
    """Content that one machine fetches, and others serve."""

    upstream: Upstream
    master: Label = Field(description="A machine: it fetches, and says what the others serve")
    nodes: Label = Field(description="A group of machines, which serve")
    network: Label | None = Field(
        None, description="Where master and nodes reach each other; by default the first that all share"
    )
    key: SecretFile | None = Field(
        None,
        description="What keys and passwords between its machines are made of; by default NAME.key. `lbkit keygen FILE` makes one",
    )
    path: AbsolutePath | None = Field(
        None,
        description="Where its data is on each machine, PATH/MACHINE/NAME; by default it lives in /run, until the next boot",
    )
    schedule: Schedule | None = Field(None, description="Without it, on push alone")
    preset: Literal["debian"] | None = Field(
        None, description="Stages, markers and exclusions of a known kind of archive"
    )
    stages: Annotated[tuple[Stage, ...], Field(max_length=32)] = ()
    exclude: Annotated[tuple[Pattern, ...], Field(max_length=1000)] = Field(
        (), description="What is left out: patterns as rsync has them"
    )
    markers: Annotated[tuple[Pattern, ...], Field(max_length=100)] = Field(
        (), description="Files that upstream has while it updates itself: no run becomes a generation then"
    )
    keep: Annotated[int, Field(ge=1, le=100)] = Field(3, description="Generations that stay reachable")
    session: Annotated[Seconds, Field(ge=1, le=3600)] = Field(
        300.0,
        description="For so long a client behind a load balancer is kept at the generation that it began with",
    )
    guard: Guard = Guard()
    limits: Limits = Limits()
    freshness: Freshness = Freshness()
    publish: Publish = Publish()
    port: Annotated[int, Field(ge=1024, le=65533)] | None = Field(
        None, description="Of its programs: this one and the two after it; by default made of its name"
    )


class Mirrors(RootModel[dict[Label, Mirror]]):
    root: dict[Label, Mirror] = Field(default_factory=dict)
