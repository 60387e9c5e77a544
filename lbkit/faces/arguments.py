"""Arguments that several commands share, and what they mean to the library."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbkit.faces.options import wait_of

if TYPE_CHECKING:
    from lbkit.base.host import Host
    from lbkit.faces.out import Out

Commands = Any  # argparse keeps the type of add_subparsers' value to itself
Run = Callable[[argparse.Namespace, "Out"], int]

DEFAULT_FILE = "topology.yml"


def command(
    commands: Commands, name: str, run: Run, *, about: str, more: str = ""
) -> argparse.ArgumentParser:
    """A sub-command with what every one takes: --json, --no-color, --debug."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + "." + (f" {more}" if more else ""),
    )
    parser.set_defaults(run=run)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="one JSON document on stdout, errors too")
    output.add_argument("--no-color", action="store_true", help="no colours; NO_COLOR in the environment too")
    output.add_argument("--debug", action="store_true", help="on a bug of lbkit, print the traceback")
    return parser


def takes_topology(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        default=Path(DEFAULT_FILE),
        help=f"the topology, YAML or JSON; by default {DEFAULT_FILE}",
    )


def takes_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        help="where lbkit keeps what runs, by default /run/lbkit; the same at every call for one topology",
    )


def takes_adoption(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adopt",
        metavar="KIND/NAME",
        action="append",
        default=[],
        help="take over this thing that lbkit did not make; may be given again",
    )


def takes_part(parser: argparse.ArgumentParser, what: str = "these things alone, and what they need") -> None:
    parser.add_argument(
        "--only",
        metavar="KIND[/NAME]",
        action="append",
        default=[],
        help=f"{what}: network/front, load_balancer/shop, a pattern such as machine/web-*; may be given again",
    )


def takes_detail(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detail", action="store_true", help="show each change's whole before and after")


def takes_replacing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replace",
        metavar="machine/NAME",
        action="append",
        default=[],
        help="make this machine, or this group, anew, whatever it is like; may be given again",
    )


def takes_seconds(parser: argparse.ArgumentParser, option: str, default: float, text: str) -> None:
    parser.add_argument(option, metavar="TIME", type=_seconds, default=default, help=text)


def takes_agreement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    takes_lock_timeout(parser)


def takes_lock_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lock-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="how long to wait for another apply of this topology to end: 30, 30s, 2m; by default not at all",
    )


def host_of(options: argparse.Namespace) -> Host:
    from lbkit.base.host import Host  # noqa: PLC0415 - not for --help

    return Host() if options.run_dir is None else Host(run_dir=options.run_dir.absolute())


def _seconds(text: str) -> float:
    try:
        return wait_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from error
