"""`lbkit explain`: why does this get no traffic? With the evidence."""

from __future__ import annotations

import argparse

from lbkit.faces.arguments import Commands, command, host_of, takes_host, takes_topology
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "explain",
        run,
        about="say how one thing is and why, with the evidence",
        more="Changes nothing.",
    )
    takes_topology(parser)
    parser.add_argument("path", metavar="PATH", help="such as shop/web/web-3: load balancer, backend, server")
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    scope = operate.load(options.file)
    findings = operate.explain(scope, options.path, host_of(options))
    if out.json:
        out.document(
            {
                "schema": "lbkit.explain/1",
                "topology": scope.name,
                "path": options.path,
                "findings": [
                    {"good": finding.good, "what": finding.what, "evidence": finding.evidence}
                    for finding in findings
                ],
            }
        )
    else:
        from lbkit.faces.render.findings import show_findings  # noqa: PLC0415 - brings rich

        show_findings(out, options.path, findings)
    return 0
