"""What one HAProxy shall run, for the planner: its text, its servers, the files beside. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lbkit.base.host import Host
from lbkit.base.mark import mark
from lbkit.base.secrets import Secret
from lbkit.engine.resource import State
from lbkit.engine.scope import Scope
from lbkit.haproxy.config.files import File as ConfigFile
from lbkit.haproxy.config.files import FileKind
from lbkit.haproxy.config.make import USER, config_of
from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.instance import KIND
from lbkit.haproxy.resolved import ResolvedLoadBalancer
from lbkit.haproxy.text.digest import digest_in
from lbkit.haproxy.text.render import render
from lbkit.haproxy.transition import written
from lbkit.haproxy.transition.files import TABLES
from lbkit.haproxy.transition.server import Admin
from lbkit.haproxy.transition.state import File, Timing, Wanted

Contents = Mapping[str, Secret | str]
_ADMIN: Mapping[str, Admin] = {"ready": "ready", "drain": "drain", "maintenance": "maint"}


def config_on(balancer: ResolvedLoadBalancer, member: str, scope: Scope, host: Host) -> Config:
    owner = mark(scope.name, KIND, member, balancer.name)
    return config_of(balancer, mark=owner, user=USER if host.can_switch_user else None, member=member)


def wanted_state(balancer: ResolvedLoadBalancer, member: str, scope: Scope, host: Host) -> dict[str, Any]:
    """As plain data: `wanted_of` and `contents_of` have it back."""
    config = config_on(balancer, member, scope, host)
    text = render(config)
    return {
        "config": text,
        "alive": True,
        "answers": True,
        "loaded": digest_in(text),
        "servers": _servers(config, text, balancer.name, scope),
        "files": {file.path: _file(file) for file in config.files},
        "contents": {
            file.path: Secret(file.content) if file.secret else file.content.decode() for file in config.files
        },
        "timing": {each.name: [each.drain_timeout, each.up_timeout] for each in config.backends},
        "by_hand": balancer.by_hand,
    }


def wanted_of(state: State) -> Wanted:
    return Wanted(
        state["config"],
        state["servers"],
        {path: File(**file) for path, file in state["files"].items()},
        {backend: Timing(*timing) for backend, timing in state["timing"].items()},
        state["by_hand"],
    )


def contents_of(state: State) -> Contents:
    contents: Contents = state["contents"]
    return contents


def _servers(config: Config, text: str, balancer: str, scope: Scope) -> dict[str, str]:
    """As `written.servers` has them from the text alone; with what is held, and what the text cannot say."""
    found = {name: str(server) for name, server in written.servers(text).items()}
    for backend in config.backends:
        for server in backend.servers:
            name = f"{backend.name}/{server.name}"
            held = f"{balancer}/{name}" in scope.holds
            admin = "drain" if held and server.state == "ready" else _ADMIN[server.state]
            if admin == "drain":
                found[name] = str(written.servers(text)[name].with_(admin=admin))
    return found


def _file(file: ConfigFile) -> dict[str, Any]:
    entries: tuple[str, ...] = ()
    if file.kind in TABLES or file.kind is FileKind.CERTIFICATE_LIST:
        entries = tuple(
            line for line in file.content.decode().splitlines() if line and not line.startswith("#")
        )
    return asdict(File(str(file.kind), file.digest, file.identity, entries))
