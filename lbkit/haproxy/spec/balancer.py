"""A load balancer: HAProxy on every machine of a group, all with the same configuration."""

from __future__ import annotations

from pydantic import Field, RootModel

from lbkit.base.names import Label
from lbkit.base.units import Seconds
from lbkit.haproxy.spec.backend import Backend
from lbkit.haproxy.spec.frontend import Frontend
from lbkit.haproxy.spec.logs import Level
from lbkit.haproxy.spec.process import Metrics, OnePeers, Process
from lbkit.haproxy.spec.timeouts import Timeouts
from lbkit.haproxy.spec.tls import Authority, Certificate
from lbkit.haproxy.spec.vip import VirtualAddress
from lbkit.haproxy.spec.words import Connections


class LoadBalancer(Process):
    """HAProxy on every machine of a group, all with the same configuration."""

    machines: Label = Field(description="The group that HAProxy runs on")
    vip: VirtualAddress | None = None
    frontends: dict[Label, Frontend] = Field(min_length=1)
    backends: dict[Label, Backend] = Field(description="None, `{}`, where frontends themselves answer")
    certificates: dict[Label, Certificate] = Field(
        default_factory=dict, description="For binds with `tls`, by name: certificates with their keys"
    )
    authorities: dict[Label, Authority] = Field(
        default_factory=dict, description="Who vouches for certificates of clients and servers, by name"
    )
    timeouts: Timeouts = Timeouts()
    maxconn: Connections | None = Field(
        None, description="Connections of the whole process; by default what its open files allow"
    )
    log_level: Level = Field(
        "notice",
        description="`notice` tells of servers that go up and down; `info` adds a line for each request",
    )
    hard_stop_after: Seconds = Field(
        300.0, description="How long connections may go on in the process that a reload replaces"
    )
    peers: OnePeers = Field(
        None, description="true: the machines tell each other their tables, so that a move forgets nobody"
    )
    metrics: Metrics | None = Field(None, description="Numbers for Prometheus")


class LoadBalancers(RootModel[dict[Label, LoadBalancer]]):
    root: dict[Label, LoadBalancer] = Field(default_factory=dict)
