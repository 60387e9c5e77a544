"""`lbkit validate`: is the file sound? Reads nothing but the file and what it names."""

from __future__ import annotations

import argparse
from collections import Counter

from lbkit.faces.arguments import Commands, command, takes_topology
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "validate",
        run,
        about="check a topology file",
        more="All mistakes at once, each with file:line; nothing in the world is looked at.",
    )
    takes_topology(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room
    from lbkit.base.host import Host  # noqa: PLC0415 - not for --help
    from lbkit.topology.register import rooms  # noqa: PLC0415 - brings every room

    scope = operate.load(options.file)
    host = Host()
    counts = Counter(want.key.kind for room in rooms() for want in room.desired(scope, host))
    if out.json:
        out.document(
            {"schema": "lbkit.validate/1", "ok": True, "topology": scope.name, "declares": dict(counts)}
        )
    else:
        declared = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        out.write(f"ok: topology {scope.name} declares {declared or 'nothing'}\n")
    return 0
