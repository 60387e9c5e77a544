"""`lbkit hold` and `lbkit release`: take a server out of use by hand, and put it back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lbkit.base.errors import Mistake
from lbkit.faces.arguments import (
    DEFAULT_FILE,
    Commands,
    command,
    host_of,
    takes_host,
    takes_lock_timeout,
    takes_topology,
)
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from lbkit.engine.holding import Enacted
    from lbkit.engine.holds import Hold

_HOLD = (
    "New requests go to others, those under way go on, and every later apply respects it, until the time given or "
    "`lbkit release`. Nothing else is changed. Without a PATH, or with --list: lists what is held."
)
_PATH = "such as shop/web/web-3: load balancer, backend, server"
_RELEASE = "It gets traffic again where its checks pass. Nothing else is changed."


def add(commands: Commands) -> None:
    parser = command(
        commands, "hold", run_hold, about="drain a server by hand, and keep it drained", more=_HOLD
    )
    takes_topology(parser)
    parser.add_argument("path", metavar="PATH", nargs="?", help=_PATH)
    parser.add_argument("--reason", metavar="TEXT", help="why, for whoever finds it drained")
    parser.add_argument(
        "--until",
        metavar="TIME",
        help="when it ends: 2h, or 2030-01-31T14:00 (local time, or with its zone); by default when released",
    )
    parser.add_argument("--list", action="store_true", help="list what is held; changes nothing")
    takes_lock_timeout(parser)
    takes_host(parser)
    parser = command(
        commands, "release", run_release, about="put a server that was held back in use", more=_RELEASE
    )
    takes_topology(parser)
    parser.add_argument("path", metavar="PATH", help=_PATH)
    takes_lock_timeout(parser)
    takes_host(parser)


def run_hold(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room
    from lbkit.faces.options import end_of  # noqa: PLC0415 - not for --help

    host = host_of(options)
    file, path = options.file, options.path
    one_word = path is None and str(file) != DEFAULT_FILE
    if options.list or not (path or one_word):
        scope = operate.load(file)
        return _list(operate.holds(scope, host), scope.name, out)
    if one_word:  # argparse gives it to FILE, which stands first
        file, path = Path(DEFAULT_FILE), str(file)
    if options.reason is None:
        raise Mistake(f"a hold of {path} was to have a reason", remedy="say why: --reason 'disk fails'")
    until = None if options.until is None else end_of(options.until, host.clock.now())
    scope = operate.load(file)
    enacted = operate.hold(
        scope, path, reason=options.reason, until=until, host=host, lock_timeout=options.lock_timeout
    )
    _tell(out, scope.name, path, enacted, f"{path} is {enacted.hold}", held=True)
    return 0


def run_release(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    scope, path = operate.load(options.file), options.path
    enacted = operate.release(scope, path, host=host_of(options), lock_timeout=options.lock_timeout)
    words = f"{path} is released" if enacted else f"{path} was not held: nothing to do"
    _tell(out, scope.name, path, enacted, words, held=False)
    return 0


def _list(holds: list[Hold], topology: str, out: Out) -> int:
    if out.json:
        held = [hold.as_data() for hold in holds]
        out.document({"schema": "lbkit.holds/1", "topology": topology, "holds": held})
        return 0
    for hold in holds:
        out.line(f"{hold.path} is {hold}")
    if not holds:
        out.line(f"{topology}: nothing is held")
    return 0


def _tell(out: Out, topology: str, path: str, enacted: Enacted | None, words: str, *, held: bool) -> None:
    done = enacted.done if enacted else ()
    if out.json:
        out.document(
            {
                "schema": "lbkit.hold/1",
                "topology": topology,
                "path": path,
                "held": held,
                "hold": enacted.hold.as_data() if enacted else None,
                "findings": [
                    {"good": each.good, "what": each.what, "evidence": each.evidence} for each in done
                ],
            }
        )
    else:
        from lbkit.faces.render.findings import show_findings  # noqa: PLC0415 - brings rich

        show_findings(out, words, done)
