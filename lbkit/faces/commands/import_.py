"""`lbkit import`: a topology from a haproxy.cfg that exists."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbkit.base.errors import Mistake
from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.haproxy.importing.whole import Imported

_MOST_BYTES = 16 << 20


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "import",
        run,
        about="make a topology of a haproxy.cfg",
        more="Prints the topology; on stderr, what became of each line: said by a key, kept as `raw`, or left out.",
    )
    parser.add_argument("file", metavar="HAPROXY.CFG", type=Path, help="the configuration; it stays as it is")
    parser.add_argument("-o", "--output", metavar="PATH", type=Path, help="a file; by default stdout")
    parser.add_argument(
        "--name",
        metavar="NAME",
        default="shop",
        help="of the topology and its load balancer; by default shop",
    )
    parser.add_argument(
        "--machines", metavar="GROUP", default="lb", help="the group that HAProxy shall run on; by default lb"
    )
    parser.add_argument(
        "--section", action="store_true", help="the part `load_balancers` alone, for a topology that there is"
    )
    parser.add_argument("--full", action="store_true", help="tell of the lines, too, that keys say")


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit.base.files import write_atomic  # noqa: PLC0415 - not for --help
    from lbkit.base.names import Label  # noqa: PLC0415 - brings pydantic
    from lbkit.haproxy.importing.fitting import misfit_of  # noqa: PLC0415 - brings pydantic
    from lbkit.haproxy.importing.whole import imported  # noqa: PLC0415 - brings pydantic

    for flag in ("name", "machines"):
        wrong = misfit_of(Label, getattr(options, flag))
        if wrong:
            raise Mistake(f"--{flag} was to be {wrong}", found=repr(getattr(options, flag)))
    found = imported(
        _read(options.file), name=options.name, machines=options.machines, file=str(options.file)
    )
    text = _yaml(found, options)
    if options.output:
        write_atomic(options.output.absolute(), text.encode())
    problems = [] if options.section else _problems(text, options)
    if out.json:
        out.document(
            {
                "schema": "lbkit.import/1",
                "file": str(options.file),
                "output": str(options.output) if options.output else None,
                "topology": _part(found.document, options),
                **found.report.as_data(),
                "problems": problems,
            }
        )
    else:
        if not options.output:
            out.write(text)
        _tell(found, problems, options, out)
    return 0


def _read(path: Path) -> str:
    from lbkit.base.files import read_given  # noqa: PLC0415 - not for --help

    content, _ = read_given(path, "the configuration", most=_MOST_BYTES)
    return content.decode("utf-8", errors="replace")


def _part(document: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    return {"load_balancers": document["load_balancers"]} if options.section else document


def _yaml(found: Imported, options: argparse.Namespace) -> str:
    from lbkit.haproxy.importing.yaml_text import yaml_text  # noqa: PLC0415 - not for --help

    return yaml_text(_part(found.document, options), found.lines, options.file.name)


def _problems(text: str, options: argparse.Namespace) -> list[dict[str, str]]:
    """What keeps the topology from being planned as it is: a certificate that is not on this host, say."""
    from lbkit.base.problems import InvalidDocument  # noqa: PLC0415 - not for --help
    from lbkit.topology.load import load_text  # noqa: PLC0415 - brings every room

    path = options.output or Path("topology.yml")
    try:
        load_text(text, str(path), path.absolute().parent)
    except InvalidDocument as error:
        problems: list[dict[str, str]] = error.as_data()["problems"]
        return problems
    return []


def _tell(found: Imported, problems: list[dict[str, str]], options: argparse.Namespace, out: Out) -> None:
    from lbkit.faces.render.imported import report_parts  # noqa: PLC0415 - brings rich

    out.tell(*report_parts(found.report, problems, options.file.name, full=options.full))
