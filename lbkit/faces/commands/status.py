"""`lbkit status`: does it stand, and does it work?"""

from __future__ import annotations

import argparse

from lbkit.faces.arguments import Commands, command, host_of, takes_host, takes_topology
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(commands, "status", run, about="show what stands and how it is", more="Changes nothing.")
    takes_topology(parser)
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    scope = operate.load(options.file)
    rows = operate.status(scope, host_of(options))
    if out.json:
        out.document(
            {"schema": "lbkit.status/1", "topology": scope.name, "status": [row.as_data() for row in rows]}
        )
    else:
        from lbkit.faces.render.status import show_status  # noqa: PLC0415 - brings rich

        show_status(out, scope.name, rows)
    return 0
