"""What a person declares of machines and of what runs on them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, RootModel, model_validator

from lbkit.base.model import Model
from lbkit.base.names import Form, Label, Printable, RelativePath
from lbkit.base.units import Seconds, Size
from lbkit.network.spec import IPAddress, IPAddresses, IPNetwork


def _argument(value: object) -> object:
    """A number is taken as it was written; true and false could have been written in many ways."""
    if isinstance(value, bool):
        raise ValueError("text in quotes")  # noqa: TRY004 - pydantic reports ValueErrors
    return str(value) if isinstance(value, int | float) else value


Argument = Annotated[Printable, BeforeValidator(_argument, json_schema_input_type=str | int | float)]
Command = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=1000)]
VariableName = Annotated[
    str, Form("[A-Za-z_][A-Za-z0-9_]{0,254}", "a variable's name: letters, digits and '_', no digit first")
]
UserName = Annotated[
    str, Form("[a-z_][a-z0-9_-]{0,31}", "a user's name: 1 to 32 of a-z, 0-9, '_' and '-', no digit first")
]


def _mode(value: object) -> object:
    """A number is refused: whoever read 0644 as octal has made 420 of it."""
    if not isinstance(value, str):
        raise ValueError(_MODE)  # noqa: TRY004 - pydantic reports ValueErrors
    return value


_MODE = "three octal digits in quotes, such as '0644'"
FileMode = Annotated[str, Form("0?[0-7]{3}", _MODE), BeforeValidator(_mode, json_schema_input_type=str)]
ImageName = Annotated[
    str,
    Form(
        "[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?(@[0-9a-f]{6,64})?",
        "an image's name: 1 to 63 of a-z, 0-9, '.', '_' and '-', a letter or digit at either end; or NAME@DIGEST",
    ),
]
SshKey = Annotated[
    str,
    Form(  # sshd(8), AUTHORIZED_KEYS FILE FORMAT: without options, which could name a command
        "(ssh-|ecdsa-|sk-)[a-z0-9@.-]{1,60} [A-Za-z0-9+/=]{16,4096}( [^\\x00-\\x1f\\x7f]{0,200})?",
        "a public key as in a .pub file: its type, the key, and perhaps a comment",
    ),
]
SignalName = Literal["HUP", "INT", "QUIT", "USR1", "USR2", "TERM"]


class Content(Model):
    """Text written here, or a file beside the topology."""

    content: str | None = Field(None, max_length=1 << 20)
    source: Annotated[Printable, Field(min_length=1)] | None = Field(
        None, description="A file to copy; relative to the topology's folder"
    )
    secret: bool = Field(
        False, description="Kept out of plans and logs; the source must be readable by its owner alone"
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Content:
        if (self.content is None) == (self.source is None):
            raise ValueError("either content or source")
        return self


class File(Content):
    """A file in a service's folder, from text here or from a file beside the topology."""

    mode: FileMode = Field("0644", description="Octal, quoted")
    once: bool = Field(False, description="Written where it is missing only: the service owns it afterwards")


class Ready(Model):
    """When a started service counts as up: it accepts a TCP connection on this port of the machine."""

    port: Annotated[int, Field(ge=1, le=65535)]
    timeout: Annotated[Seconds, Field(le=600)] = Field(10.0, description="A duration, or seconds")


class Service(Model):
    """A program that runs in the foreground for as long as the machine stands. It starts in a folder of its own."""

    name: Label
    command: Command
    environment: dict[VariableName, Argument] = Field(default_factory=dict)
    files: dict[RelativePath, File] = Field(default_factory=dict)
    check: Command | None = Field(
        None, description="Run before a start or reload, in the service's folder; 0 is good"
    )
    reload: SignalName | Command | None = Field(
        None,
        description="What makes it read changed files: a signal, or a command; without it, it is restarted",
    )
    user: UserName | None = None
    ready: Ready | None = None
    stop_timeout: Annotated[Seconds, Field(le=600)] = Field(
        10.0, description="From SIGTERM to SIGKILL: a duration, or seconds"
    )


class Attachment(Model):
    """A group's place on a network. Addresses by hand: one for each member and prefix, in the order of members."""

    addresses: IPAddresses = ()


class Route(Model):
    to: IPNetwork
    via: IPAddress


def _attachments(value: object) -> object:
    """`[front, back]` is written for `{front: {}, back: {}}`."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, dict):
        return {name: {} if given is None else given for name, given in value.items()}
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        if len(set(value)) < len(value):
            raise ValueError("each network once")
        return {name: {} for name in value}
    return value


class Vm(Model):
    """A virtual machine: what it boots, and how large it is."""

    image: ImageName = Field(description="An image of the store: `lbkit image list`")
    memory: Annotated[Size, Field(ge=64 << 20)] = Field(
        512 << 20, validate_default=False, description="A size such as 512MiB"
    )
    max_memory: Annotated[Size, Field(ge=64 << 20)] | None = Field(
        None, description="Up to which memory can be changed while it runs; without it `memory`"
    )
    cpus: Annotated[int, Field(ge=1, le=255)] = 1  # as many as QEMU's machine "pc" has
    disk: Annotated[Size, Field(ge=64 << 20)] | None = Field(
        None, description="The size of its disk, of which only what differs from the image takes space"
    )
    accelerator: Literal["auto", "kvm", "tcg"] = Field(
        "auto", description="auto: KVM where it really boots a guest, else QEMU's own emulation (tcg)"
    )
    ssh_keys: Annotated[tuple[SshKey, ...], Field(max_length=100)] = Field(
        (), description="Public keys that may log in as root, where an SSH server runs; lbkit needs none"
    )
    user_data: Content | None = Field(None, description="More cloud-config, for images with cloud-init")
    boot_timeout: Annotated[Seconds, Field(ge=10, le=3600)] = Field(
        300.0, description="How long its guest may take from its start to its first answer"
    )
    keep_disk: bool = Field(False, description="Keep the disk of a machine that was replaced because it died")
    warm_pool: Annotated[int, Field(ge=0, le=64)] = Field(
        0, description="So many started machines are kept ready, for a replacement in seconds"
    )
    warm_in: Literal["disk", "memory"] = Field(
        "disk",
        description="Where those are kept: on disk they take no memory of the host, in memory they serve in half the time",
    )

    @model_validator(mode="after")
    def _room_to_grow(self) -> Vm:
        if self.max_memory is not None and self.max_memory < self.memory:
            raise ValueError("max_memory of at least `memory`")
        return self


class Group(Model):
    """One machine, or `count` alike: NAME, or NAME-1 to NAME-count."""

    driver: Literal["netns", "libvirt"] = Field(
        "netns", description="netns: a network namespace of this host. libvirt: a virtual machine"
    )
    host: Label | None = Field(None, description="Of driver libvirt: one of `hosts`, where there are several")
    spread: bool = Field(False, description="Of driver libvirt: each member on another one of `hosts`")
    vm: Vm | None = Field(None, description="Of driver libvirt: what the virtual machine is")
    count: Annotated[int, Field(ge=0, le=4096)] | None = Field(
        None, description="How many; without it one, named as the group"
    )
    networks: Annotated[
        dict[Label, Attachment],
        BeforeValidator(
            _attachments, json_schema_input_type=Label | list[Label] | dict[Label, Attachment | None]
        ),
    ] = Field(
        min_length=1,
        description="A list of names, or names with attributes; the first with a gateway has the default route",
    )
    gateway: Label | Literal[False] | None = Field(
        None, description="The network of the default route, or false for none"
    )
    routes: tuple[Route, ...] = ()
    run: tuple[Service, ...] = ()

    @model_validator(mode="after")
    def _of_one_driver(self) -> Group:
        virtual = self.driver == "libvirt"
        if virtual and self.vm is None:
            raise ValueError("with driver libvirt also `vm`, with at least an image")
        if not virtual and (self.vm is not None or self.host is not None or self.spread):
            raise ValueError("`vm`, `host` and `spread` with driver libvirt only")
        if self.spread and self.host is not None:
            raise ValueError("either `host` or `spread`")
        return self

    def members(self, name: str) -> list[str]:
        return [name] if self.count is None else [f"{name}-{index}" for index in range(1, self.count + 1)]


class Machines(RootModel[dict[Label, Group]]):
    root: dict[Label, Group] = Field(default_factory=dict)
