"""lbkit: load balancers on plain Linux hosts, from one file.

>>> import lbkit
>>> scope = lbkit.load("web.yml")
>>> plan = lbkit.plan(scope)
>>> lbkit.apply(scope, promised=plan)

`load`, `load_data`, `observe`, `plan`, `apply`, `destroy`, `status`, `explain`, `hold`, `release`, `holds`, `sample` and `doctor`
are the library, and `mirrors` with what is done to mirrors that run, or `mirror_states` with how they shall be; the command line
and the Ansible modules call nothing else.
Without a topology there are `checks`, which asks servers now, `haproxies`, by their runtime sockets, `images` of virtual machines, `mirror_machines`,
which finds out whether a machine can be a mirror's, and `zones`, the records of zones by their server and key. `machines` stops,
starts, restarts and replaces those of a topology. `plan_hold` and `apply_hold` are `hold` and `release` as plans;
`plan_scale` and `apply_scale` change how many machines a group has, in the topology's file and in the world. `served_certificates` looks at what clients
are shown.
Imports are late: `import lbkit` alone costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lbkit import machines
    from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
    from lbkit.base.host import Host
    from lbkit.dns.direct import operations as zones
    from lbkit.engine.applying import ApplyFailed, Result
    from lbkit.engine.hold_plan import WantedHold
    from lbkit.engine.plan import Plan
    from lbkit.engine.proof import Proof, ProofFailed
    from lbkit.engine.resource import Key
    from lbkit.engine.scope import Scope
    from lbkit.haproxy import direct as haproxies
    from lbkit.haproxy.serving import served_certificates
    from lbkit.health import direct as checks
    from lbkit.machine import images
    from lbkit.mirror import machines as mirror_machines
    from lbkit.mirror import operations as mirrors
    from lbkit.mirror import states as mirror_states
    from lbkit.operate import (
        apply,
        apply_hold,
        destroy,
        digest,
        doctor,
        explain,
        hold,
        holds,
        load,
        load_data,
        observe,
        picture,
        plan,
        plan_hold,
        release,
        sample,
        status,
    )
    from lbkit.scaling import Scaled, apply_scale, plan_scale

__version__ = "0.1.0"

_HOME = {
    "apply": "lbkit.operate",
    "apply_hold": "lbkit.operate",
    "apply_scale": "lbkit.scaling",
    "destroy": "lbkit.operate",
    "digest": "lbkit.operate",
    "doctor": "lbkit.operate",
    "explain": "lbkit.operate",
    "hold": "lbkit.operate",
    "holds": "lbkit.operate",
    "load": "lbkit.operate",
    "load_data": "lbkit.operate",
    "observe": "lbkit.operate",
    "picture": "lbkit.operate",
    "plan": "lbkit.operate",
    "plan_hold": "lbkit.operate",
    "plan_scale": "lbkit.scaling",
    "served_certificates": "lbkit.haproxy.serving",
    "release": "lbkit.operate",
    "sample": "lbkit.operate",
    "status": "lbkit.operate",
    "ApplyFailed": "lbkit.engine.applying",
    "Bug": "lbkit.base.errors",
    "Failure": "lbkit.base.errors",
    "Host": "lbkit.base.host",
    "Key": "lbkit.engine.resource",
    "LbkitError": "lbkit.base.errors",
    "Mistake": "lbkit.base.errors",
    "Plan": "lbkit.engine.plan",
    "Proof": "lbkit.engine.proof",
    "ProofFailed": "lbkit.engine.proof",
    "Result": "lbkit.engine.applying",
    "Scaled": "lbkit.scaling",
    "Scope": "lbkit.engine.scope",
    "WantedHold": "lbkit.engine.hold_plan",
}

_MODULES = {
    "checks": "lbkit.health.direct",
    "haproxies": "lbkit.haproxy.direct",
    "images": "lbkit.machine.images",
    "machines": "lbkit.machines",
    "mirror_machines": "lbkit.mirror.machines",
    "mirror_states": "lbkit.mirror.states",
    "mirrors": "lbkit.mirror.operations",
    "zones": "lbkit.dns.direct.operations",
}

__all__ = [
    "ApplyFailed",
    "Bug",
    "Failure",
    "Host",
    "Key",
    "LbkitError",
    "Mistake",
    "Plan",
    "Proof",
    "ProofFailed",
    "Result",
    "Scaled",
    "Scope",
    "WantedHold",
    "apply",
    "apply_hold",
    "apply_scale",
    "checks",
    "destroy",
    "digest",
    "doctor",
    "explain",
    "haproxies",
    "hold",
    "holds",
    "images",
    "load",
    "load_data",
    "machines",
    "mirror_machines",
    "mirror_states",
    "mirrors",
    "observe",
    "picture",
    "plan",
    "plan_hold",
    "plan_scale",
    "release",
    "sample",
    "served_certificates",
    "status",
    "zones",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - the point of this function

    if name in _MODULES:
        return import_module(_MODULES[name])
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'lbkit' has no attribute {name!r}")
    return getattr(import_module(home), name)
