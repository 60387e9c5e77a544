"""`lbkit mirror`: what a sync would do, syncs, the evidence of runs, and how a mirror and its nodes are."""

from __future__ import annotations

import argparse
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.faces.arguments import (
    DEFAULT_FILE,
    Commands,
    Run,
    command,
    takes_agreement,
    takes_detail,
    takes_host,
    takes_topology,
)
from lbkit.faces.options import wait_of
from lbkit.faces.out import Out

_MORE = "Its keeper on the master is asked: the mirror must stand (`lbkit apply`)."


def add(commands: Commands) -> None:
    top = command(
        commands,
        "mirror",
        _run_nothing,
        about="sync mirrors, look at their runs, and promote a node",
        more=_MORE,
    )
    below = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    plan = _one(
        below,
        "plan",
        _of("mirror_syncing", "plan"),
        about="show what a sync would add, change and delete",
        more="Nothing is fetched. Exit code 0: upstream is as what stands; 2: there are changes.",
    )
    plan.add_argument(
        "--most", metavar="N", type=_number, default=10, help="name so many paths of each kind; 10"
    )
    sync = _one(
        below,
        "sync",
        _of("mirror_syncing", "sync"),
        about="fetch from upstream now, and wait until the nodes have it",
        more="After the run that is under way. Ctrl-C ends the waiting and not the run.",
    )
    sync.add_argument("--anyway", action="store_true", help="though its guards object: shows why, and asks")
    _takes_yes(sync)
    _takes_wait(sync)
    status = command(
        below,
        "status",
        _of("mirror_telling", "status"),
        about="show what is committed, who serves it, and what comes next",
    )
    takes_topology(status)
    status.add_argument("name", metavar="NAME", nargs="?", help="of the mirror; by default all")
    takes_host(status)
    log = _one(
        below,
        "log",
        _of("mirror_telling", "log"),
        extra=("ID", "one run with rsync's words, as the list names it"),
        about="list the last runs, or tell all of one",
    )
    log.add_argument("--last", metavar="N", type=_number, default=20, help="so many runs; 20")
    verify = _one(
        below,
        "verify",
        _of("mirror_telling", "verify"),
        about="read all that its machines have, and compare it with the manifests",
        more="Exit code 1 where something is damaged and was not mended.",
    )
    verify.add_argument(
        "--mend", action="store_true", help="get just the damaged files anew, from another machine"
    )
    verify.add_argument(
        "--only", metavar="MACHINE", action="append", help="this one alone; may be given again"
    )
    back = _one(
        below,
        "rollback",
        _of("mirror_syncing", "rollback"),
        extra=("SERIAL", "of a generation that stands; by default the one before the committed"),
        about="serve what an older generation has, and hold runs",
        more="It becomes the newest one, under a new serial. Runs begin again with `lbkit mirror release` or `sync`.",
    )
    _takes_yes(back)
    _takes_wait(back)
    _one(below, "release", _of("mirror_telling", "release"), about="let runs go on that a rollback held")
    _one(
        below,
        "push",
        _of("mirror_telling", "push"),
        about="say that upstream has something new; returns at once",
    )
    promote = _one(
        below,
        "promote",
        _of("mirror_promote", "run"),
        extra=("NODE", "which one; by default that with the newest whole generation"),
        about="put a node in the place of a master that is lost",
        more="Changes `master:` in FILE, and applies that: shows the plan and asks. The lost master need not answer.",
    )
    promote.add_argument(
        "--anyway", action="store_true", help="though the old master lives, or what the node has is damaged"
    )
    promote.add_argument(
        "--quick", action="store_true", help="compare names and sizes before it, and do not read every byte"
    )
    takes_agreement(promote)
    takes_detail(promote)
    _takes_wait(promote)
    promote.set_defaults(prove=False, prove_rate=None, only=[])


def _one(
    below: Commands,
    name: str,
    run: Run,
    *,
    about: str,
    more: str = "",
    extra: tuple[str, str] | None = None,
) -> argparse.ArgumentParser:
    """A command about one mirror: [FILE] NAME, and one word more."""

    def named(options: argparse.Namespace, out: Out) -> int:
        if extra is not None and options.extra is None and is_name(options.file):
            options.file, options.name, options.extra = Path(DEFAULT_FILE), str(options.file), options.name
        return run(options, out)

    parser = command(below, name, named, about=about, more=more)
    takes_topology(parser)
    parser.add_argument("name", metavar="NAME", help="of the mirror")
    if extra is not None:
        parser.add_argument("extra", metavar=extra[0], nargs="?", help=extra[1])
    takes_host(parser)
    return parser


def is_name(file: Path) -> bool:
    """A mirror's name has neither a dot nor a slash: a file of such a name is written ./NAME."""
    return str(file) != DEFAULT_FILE and not set("./") & set(str(file))


def _takes_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _takes_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        metavar="TIME",
        type=_seconds,
        default=120.0,
        help="until enough nodes have it: 30s, 10m, 0; by default 120s",
    )


def _of(module: str, name: str) -> Run:
    """That function, imported when it is called."""

    def run(options: argparse.Namespace, out: Out) -> int:
        from importlib import import_module  # noqa: PLC0415 - not for --help

        code: int = getattr(import_module(f"lbkit.faces.commands.{module}"), name)(options, out)
        return code

    return run


def _run_nothing(_options: argparse.Namespace, _out: Out) -> int:
    raise Mistake("a command of `lbkit mirror` was to be given", remedy="`lbkit mirror --help` lists them")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"a number up to 10000, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return wait_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from error
