"""What machines run for mirrors: services with all that their programs are given. Pure.

Of each mirror the keeper on its master and an agent on each node; of each machine one rsync daemon and one web server, for all of its
mirrors. Paths in a configuration are relative to its service's folder.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from lbkit.base.pack import Program
from lbkit.base.secrets import Secret
from lbkit.machine.resolved import ResolvedFile, ResolvedService
from lbkit.machine.spec import Ready
from lbkit.mirror.ports import RSYNC_PORT
from lbkit.mirror.presets import PRESETS
from lbkit.mirror.program import PYTHON
from lbkit.mirror.resolved import CONTROL, HTTP_SERVICE, RSYNC_SERVICE, ResolvedMirror

PROGRAM = Program(
    (
        "lbkit.mirror.main",
        "lbkit.mirror.keeper.main",
        "lbkit.mirror.node.main",
        "lbkit.mirror.serving.main",
        "lbkit.base.syscalls",
    ),
    "import sys\nfrom lbkit.mirror.main import main\nsys.exit(main(sys.argv[1:]))\n",
)

Role = Literal["keeper", "node"]

_FILE, _CONFIG = "mirror.pyz", "config.json"
_UNDER_WAY = 30.0  # seconds that a session may take which began in the last moment
_STARTS_WITHIN = 120.0  # seconds: a guest under emulation that just booted takes some to start three Pythons


def services(mirrors: Iterable[ResolvedMirror]) -> Iterator[tuple[str, ResolvedService]]:
    """Each with the machine that runs it."""
    ours = list(mirrors)
    for mirror in ours:
        yield mirror.master, _keeper(mirror)
        for node in mirror.nodes:
            yield node, _node(mirror, node)
    rsyncs: dict[str, list[ResolvedMirror]] = defaultdict(list)
    sites: dict[str, list[ResolvedMirror]] = defaultdict(list)
    for mirror in ours:
        for machine in dict.fromkeys((mirror.master, *mirror.nodes)):
            rsyncs[machine].append(mirror)
        if mirror.declared.publish.http is not None:
            for node in mirror.nodes:
                sites[node].append(mirror)
    for machine, its in rsyncs.items():
        yield machine, _rsync(machine, its)
    for machine, its in sites.items():
        yield machine, _http(machine, its)


def data_folder(mirror: ResolvedMirror, machine: str, service: str) -> str:
    """Where a service has its data, as its own configuration names it."""
    path = mirror.declared.path
    return f"{path}/{machine}/{mirror.name}/{service.rpartition('-')[2]}" if path else "data"


def _keeper(mirror: ResolvedMirror) -> ResolvedService:
    declared = mirror.declared
    preset = PRESETS[declared.preset] if declared.preset else None
    data = data_folder(mirror, mirror.master, mirror.keeper)
    limits, fresh, schedule = declared.limits, declared.freshness, declared.schedule
    config: dict[str, Any] = {
        "project": mirror.name,
        "keep": declared.keep,
        "store": f"{data}/store",
        "runs": f"{data}/runs",
        "upstream": mirror.upstream,
        "exclude": [*(preset.exclude if preset else ()), *declared.exclude],
        "markers": [*(preset.markers if preset else ()), *declared.markers],
        "stages": _stages(mirror),
        "guard": declared.guard.model_dump(),
        "bandwidth": limits.bandwidth,
        "connections": limits.connections,
        "silence": limits.timeout,
        "schedule": None
        if schedule is None
        else {
            **({"cron": schedule.cron} if schedule.cron else {"every": schedule.every}),
            "window": schedule.window.split("-") if schedule.window else None,
            "jitter": schedule.jitter or 0,
            "zone": schedule.zone,
        },
        "policy": {
            "quorum": _quorum(mirror),
            "max_lag": fresh.max_lag,
            "floor": fresh.floor,
            "contact": fresh.contact,
            "fan_out": limits.connections,
        },
        "nodes": {
            node: [str(mirror.inner[node]), mirror.ports.agent, f"keys/{node}"] for node in mirror.nodes
        },
        "listen": [[str(mirror.inner[mirror.master]), mirror.ports.push]],
        "keys": {"push": "keys.push"},
        "control": CONTROL,
        "sources": {node: _inner(mirror, node, "node", mirror.master) for node in mirror.nodes},
    }
    if mirror.master in mirror.nodes:
        config["adopt"] = f"{_beside(mirror, mirror.master, mirror.node)}/store"
    secrets = {
        **{f"keys/{node}": mirror.keys.keeper(node) for node in mirror.nodes},
        "keys.push": mirror.keys.push(),
        "password": mirror.keys.password(mirror.master),
    }
    files = {**mirror.files, **secrets}
    return _service(mirror.keeper, ("keeper", "serve"), config, files, mirror.ports.push)


def _quorum(mirror: ResolvedMirror) -> int:
    return mirror.declared.freshness.quorum or len(mirror.nodes) // 2 + 1


def _stages(mirror: ResolvedMirror) -> list[dict[str, Any]]:
    declared = mirror.declared
    if declared.stages:
        return [{"folder": each.include.rstrip("/"), "contents": each.contents} for each in declared.stages]
    preset = PRESETS[declared.preset].stages if declared.preset else ()
    return [{"folder": each.folder, "contents": each.contents} for each in preset]


def _node(mirror: ResolvedMirror, node: str) -> ResolvedService:
    others = [other for other in mirror.nodes if other != node]
    config = {
        "project": mirror.name,
        "keep": mirror.declared.keep,
        "store": f"{data_folder(mirror, node, mirror.node)}/store",
        "bandwidth": mirror.declared.limits.bandwidth,
        "contact": mirror.declared.freshness.contact,
        "quorum": _quorum(mirror),
        # the last connection of an address that is kept at a generation may begin at its session's end
        "session": 2 * mirror.declared.session + _UNDER_WAY,
        "listen": [[str(mirror.inner[node]), mirror.ports.agent]],
        "check": [[str(address), mirror.ports.check] for address in mirror.addresses[node]],
        "keys": {"keeper": "keys.keeper", "neighbour": "keys.neighbour"},
        "sources": {
            "": _inner(mirror, mirror.master, "keeper", node),
            **{other: _inner(mirror, other, "node", node) for other in others},
        },
        "neighbours": {other: [str(mirror.inner[other]), mirror.ports.agent] for other in others},
    }
    files = {
        "keys.keeper": mirror.keys.keeper(node),
        "keys.neighbour": mirror.keys.neighbour(),
        "password": mirror.keys.password(node),
    }
    return _service(mirror.node, ("node", "serve"), config, files, mirror.ports.agent)


def _inner(mirror: ResolvedMirror, source: str, role: Role, machine: str) -> dict[str, Any]:
    """The root of that store, as `machine` gets from it."""
    return {
        "kind": "rsync",
        "host": _host(str(mirror.inner[source])),
        "port": RSYNC_PORT,
        "module": _module(mirror, role),
        "user": machine,
        "password_file": "password",
    }


def _module(mirror: ResolvedMirror, role: Role) -> str:
    return f"lbkit-{mirror.name}-{role}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _rsync(machine: str, mirrors: Iterable[ResolvedMirror]) -> ResolvedService:
    """All generations for the machines of a mirror, by password; what serves for everybody, where it is published so."""
    modules: list[dict[str, Any]] = []
    files: dict[str, bytes | Secret] = {}
    for mirror in mirrors:
        readers = dict.fromkeys((mirror.master, *mirror.nodes))
        files |= {f"passwords/{mirror.name}.{each}": mirror.keys.password(each) for each in readers}
        publish = mirror.declared.publish
        for role, service in _roles(mirror, machine):
            modules.append(
                {
                    "public": (publish.module or "") if role == "node" else "",
                    "inner": _module(mirror, role),
                    "store": f"{_beside(mirror, machine, service)}/store",
                    "nodes": {each: f"passwords/{mirror.name}.{each}" for each in readers},
                    "connections": publish.connections or 0,
                }
            )
    config = {"port": RSYNC_PORT, "modules": modules}
    return _service(RSYNC_SERVICE, ("rsync", "serve"), config, files, RSYNC_PORT, ("rsync", "reload"))


def _roles(mirror: ResolvedMirror, machine: str) -> Iterator[tuple[Role, str]]:
    """What it is in that mirror, and the service: the master may be a node, too."""
    if machine == mirror.master:
        yield "keeper", mirror.keeper
    if machine in mirror.nodes:
        yield "node", mirror.node


def _http(machine: str, mirrors: Iterable[ResolvedMirror]) -> ResolvedService:
    sites = []
    for mirror in mirrors:
        http = mirror.declared.publish.http
        assert http is not None  # noqa: S101 - asked of those alone that have it
        sites.append(
            {
                "name": mirror.name,
                "store": f"{_beside(mirror, machine, mirror.node)}/store",
                "listen": [[str(address), http.port] for address in mirror.addresses[machine]],
                "keep": mirror.declared.keep,
                "stages": _stages(mirror),
            }
        )
    port = int(sites[0]["listen"][0][1])  # type: ignore[index]
    return _service(HTTP_SERVICE, ("http", "serve"), {"sites": sites}, {}, port, ("http", "reload"))


def _beside(mirror: ResolvedMirror, machine: str, service: str) -> str:
    """The data of a service, as another one of that machine names it."""
    folder = data_folder(mirror, machine, service)
    return folder if folder.startswith("/") else f"../{service}/{folder}"


def _service(
    name: str,
    words: tuple[str, str],
    config: Mapping[str, Any],
    secrets: Mapping[str, bytes | Secret],
    port: int,
    reload: tuple[str, str] | None = None,
) -> ResolvedService:
    files = {
        _FILE: ResolvedFile(PROGRAM.packed().content, 0o644),
        _CONFIG: ResolvedFile(json.dumps(config, indent=1, sort_keys=True).encode() + b"\n", 0o644),
        **{path: ResolvedFile(content, 0o600) for path, content in secrets.items()},
    }
    return ResolvedService(
        name,
        (*PYTHON, _FILE, *words, _CONFIG),
        files=files,
        reload=(*PYTHON, _FILE, *reload, _CONFIG) if reload else None,
        ready=Ready(port=port, timeout=_STARTS_WITHIN),
    )
