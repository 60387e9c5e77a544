"""`lbkit graph`: the topology as a picture, with its live state."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure
from lbkit.faces.arguments import Commands, command, host_of, takes_host, takes_topology
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.engine.scope import Scope
    from lbkit.engine.view import Picture, Status

_FORMATS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "graph",
        run,
        about="draw the topology with its live state",
        more="Changes nothing. Where the state cannot be read, it draws what is declared and says so.",
    )
    takes_topology(parser)
    parser.add_argument(
        "--format", choices=["svg", "mermaid"], help="by default as the output's name ends, else svg"
    )
    parser.add_argument("-o", "--output", metavar="PATH", type=Path, help="a file; by default stdout")
    parser.add_argument("--declared", action="store_true", help="what is declared, without the live state")
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room
    from lbkit.base.files import write_atomic  # noqa: PLC0415 - not for --help

    scope = operate.load(options.file)
    form = options.format or _FORMATS.get(options.output.suffix if options.output else "", "svg")
    picture = _drawn(
        form, scope, operate.picture(scope), None if options.declared else _state(scope, options, out)
    )
    if options.output:
        write_atomic(options.output.absolute(), picture.encode())
    if out.json:
        where = str(options.output) if options.output else None
        out.document(
            {
                "schema": "lbkit.graph/1",
                "topology": scope.name,
                "format": form,
                "output": where,
                "picture": None if where else picture,
            }
        )
    elif not options.output:
        out.write(picture)
    return 0


def _state(scope: Scope, options: argparse.Namespace, out: Out) -> list[Status] | None:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    try:
        return operate.status(scope, host_of(options))
    except Failure as error:
        out.warning(f"the live state could not be read, so this is what is declared: {error.wanted}")
        return None


def _drawn(form: str, scope: Scope, picture: Picture, state: list[Status] | None) -> str:
    if form == "mermaid":
        from lbkit.faces.graph.mermaid import mermaid  # noqa: PLC0415 - not for --help

        return mermaid(picture, state)
    from lbkit.faces.graph.svg import svg  # noqa: PLC0415 - not for --help

    return svg(scope.name, picture, state)
