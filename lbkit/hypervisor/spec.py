"""What a person declares of the hosts that virtual machines run on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, RootModel, StringConstraints

from lbkit.base.model import Model
from lbkit.base.names import Form, Label

_USER = r"([A-Za-z0-9_][A-Za-z0-9._-]*@)?"
_HOST = r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])"  # no '-' first: ssh would take it for an option
_PARAMETER = (
    r"(socket|mode|keyfile|known_hosts|known_hosts_verify|sshauth|no_verify|no_tty|pkipath|tls_priority)"
    r"=[A-Za-z0-9._~/+:,@-]*"
)
# `command`, `netcat`, `proxy` and the transport `ext` would run programs of the URI's choice (libvirt.org/uri.html)
ConnectionURI = Annotated[
    str,
    StringConstraints(max_length=512),
    Form(
        rf"(qemu|test)(\+(unix|ssh|libssh|libssh2|tls|tcp))?://({_USER}{_HOST}(:[0-9]{{1,5}})?)?"
        rf"/[A-Za-z0-9._/-]*(\?{_PARAMETER}(&{_PARAMETER})*)?",
        "a libvirt URI of QEMU such as qemu:///system or qemu+ssh://root@node-1/system, without quotes, spaces, "
        "a password, or parameters that run a program",
    ),
]

PoolPath = Annotated[
    str,
    Form(
        r"(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,99}){1,20}",
        "an absolute path of letters, digits and '._@+-', no part of which starts with '.'",
    ),
]


class Hypervisor(Model):
    """A host that virtual machines run on: a libvirt to connect to, and where on it their disks lie."""

    uri: ConnectionURI = Field(
        "qemu:///system",
        description="Its libvirt",
        examples=["qemu:///system", "qemu+ssh://root@node-1/system"],
    )
    pool: Label = Field("lbkit", description="The storage pool for disks; made where it is missing")
    path: PoolPath | None = Field(
        None,
        description="The pool's folder on that host; by default /var/lib/lbkit/pool, in a sandbox /run/lbkit-pool",
    )


class Hypervisors(RootModel[dict[Label, Hypervisor]]):
    root: dict[Label, Hypervisor] = Field(default_factory=dict)
