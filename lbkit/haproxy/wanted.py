"""What one HAProxy shall run, for the planner: its text, its servers, the files beside. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lbkit.base.host import Host
from lbkit.base.mark import mark
from lbkit.engine.resource import Desired
from lbkit.engine.scope import Scope
from lbkit.haproxy.config.files import FileKind
from lbkit.haproxy.config.make import USER, config_of
from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.instance import KIND, argv_of
from lbkit.haproxy.resolved import ResolvedLoadBalancer
from lbkit.haproxy.text.digest import digest_in
from lbkit.haproxy.text.render import render
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.files import TABLES
from lbkit.haproxy.transition.state import Timing, Wanted
from lbkit.machine.resolved import Machines


@dataclass(frozen=True, slots=True)
class DesiredHaproxy(Desired):
    """`state` is what a person sees of it, `wanted` what the planner does. `moves`: clients come to a virtual address."""

    wanted: Wanted = field(default_factory=lambda: Wanted(""))
    moves: bool = False


def wanted_on(balancer: ResolvedLoadBalancer, member: str, scope: Scope, host: Host) -> Wanted:
    owner = mark(scope.name, KIND, member, balancer.name)
    user = USER if scope.of("machine", Machines).by_name[member].switches_users(host) else None
    config = config_of(balancer, mark=owner, user=user, member=member)
    text = render(config)
    return Wanted(
        text,
        _servers(config, text, balancer, scope),
        {file.path: file for file in config.files},
        {each.name: Timing(each.drain_timeout, each.up_timeout) for each in config.backends},
        balancer.by_hand,
        " ".join(argv_of(balancer.program)),
        balancer.late,
    )


def state_of(wanted: Wanted) -> dict[str, Any]:
    """The same fields as `looking.state_of` gives of what runs. Of files with keys no more than digests."""
    return {
        "config": wanted.text,
        "alive": True,
        "answers": True,
        "loaded": digest_in(wanted.text),
        "servers": wanted.servers,
        "files": {path: file.digest for path, file in wanted.files.items()},
        "tables": {path: file.entries for path, file in wanted.files.items() if file.kind in TABLES},
        "certificates": {
            path: file.identity for path, file in wanted.files.items() if file.kind is FileKind.CERTIFICATE
        },
    }


def _servers(config: Config, text: str, balancer: ResolvedLoadBalancer, scope: Scope) -> dict[str, str]:
    """As `written.servers` has them from the text alone; with what is held, and what the text cannot say."""
    servers = written.servers(text)
    found = {name: str(server) for name, server in servers.items()}
    drained = [
        f"{backend.name}/{server.name}"
        for backend in config.backends
        for server in backend.servers
        if server.state == "drain"
    ]
    held = [
        f"{backend}/{server}"
        for path in scope.holds
        if path.startswith(f"{balancer.name}/")
        for _, name, server in [path.split("/")]
        for backend in balancer.everywhere(name)
    ]
    for name in [*drained, *(name for name in held if name in servers)]:
        if servers[name].admin == "ready":  # not one in maintenance, which gets less than nothing new
            found[name] = str(servers[name].with_(admin="drain", asked=False))
    return found
