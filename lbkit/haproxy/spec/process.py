"""What holds for the whole process of each member: peers, metrics, tuning, and its executable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Form, Label
from lbkit.haproxy.spec.bind import Bind, OneBind
from lbkit.haproxy.spec.logs import OneLogTarget
from lbkit.haproxy.spec.names import Resolvers
from lbkit.haproxy.spec.raw import RawDefaults, RawGlobal, RawHead, RawSection
from lbkit.haproxy.spec.words import Port


class Peers(Model):
    """The members tell each other their tables: who is kept at which server, and what is counted for limits."""

    port: Port = 1024
    network: Label | None = Field(
        None, description="Where they reach each other; by default the first that they share"
    )


def _peers(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, dict | Model):
        raise ValueError("true, false, or its keys")
    return value


OnePeers = Annotated[Peers | None, BeforeValidator(_peers, json_schema_input_type=Peers | bool | None)]


class Metrics(Model):
    """Numbers for Prometheus, at a place of their own."""

    bind: Annotated[tuple[OneBind, ...], Field(min_length=1, max_length=16), OneOrMany()]
    path: Annotated[
        str, Form(r"/[A-Za-z0-9._~/-]{0,200}", "a path of letters, digits, '.', '_', '~', '-' and '/'")
    ] = "/metrics"

    @field_validator("bind")
    @classmethod
    def _plain(cls, binds: tuple[Bind, ...]) -> tuple[Bind, ...]:
        if any(bind.tls is not None for bind in binds):
            raise ValueError("binds without `tls`: a frontend of your own may stand before them")
        return binds


class Tuning(Model):
    """Sizes of the process. What is not written is HAProxy's own default."""

    threads: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="By default one for each processor"
    )
    buffer_size: Annotated[int, Field(ge=4096, le=1_048_576)] | None = Field(
        None, description="Bytes; headers of a request must fit into one, less `rewrite_reserve`"
    )
    rewrite_reserve: Annotated[int, Field(ge=256, le=65_536)] | None = Field(
        None, description="Bytes of a buffer that are kept free for headers that are added"
    )
    headers: Annotated[int, Field(ge=16, le=32_767)] | None = Field(
        None, description="Headers of a request; by default 101"
    )
    spread_checks: Annotated[int, Field(ge=0, le=50)] | None = Field(
        None, description="Percent by which health checks' times differ, so that they do not come at once"
    )


Executable = Annotated[
    str,
    Form(r"(/[A-Za-z0-9._+-]+)+|[A-Za-z0-9_][A-Za-z0-9._+-]*", "the name of a program, or its whole path"),
]


class Process(Model):
    """The part of a load balancer in which nothing has to be looked up."""

    log: Annotated[tuple[OneLogTarget, ...], Field(max_length=16), OneOrMany()] = Field(
        (), description="Syslog servers that get the log too"
    )
    resolvers: Resolvers | None = Field(None, description="Who is asked for servers that have a name")
    tuning: Tuning = Tuning()
    by_hand: Literal["undo", "keep"] = Field(
        "undo", description="What becomes of weights and states that somebody set at the runtime socket"
    )
    program: Executable = Field("haproxy", description="HAProxy's executable: a name, or its whole path")
    raw: RawGlobal = Field((), description="Lines of the section `global` as they are, for what has no key")
    raw_sections: Annotated[dict[RawHead, RawSection], Field(max_length=100)] = Field(
        default_factory=dict,
        description="Whole sections of kinds that have no key, by their heads: `userlist NAME`, `cache NAME`, ...",
    )
    raw_defaults: RawDefaults = Field((), description="The same of the section `defaults`")


USUAL = Process()
