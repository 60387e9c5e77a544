"""`lbkit mirror status`, `log`, `verify`, `release` and `push`: one question to its keeper each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lbkit import operate
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.faces.arguments import DEFAULT_FILE, host_of
from lbkit.faces.commands.mirror import is_name
from lbkit.faces.out import Out
from lbkit.faces.render.transfer import Transfer, verified_words
from lbkit.mirror import operations
from lbkit.mirror.reach import mirrors_of


def loaded(options: argparse.Namespace) -> tuple[Scope, Host]:
    return operate.load(options.file), host_of(options)


def status(options: argparse.Namespace, out: Out) -> int:
    if options.name is None and is_name(options.file):
        options.file, options.name = Path(DEFAULT_FILE), str(options.file)
    scope, host = loaded(options)
    named = [options.name] if options.name else [mirror.name for mirror in mirrors_of(scope)]
    rows: list[dict[str, Any]] = []
    for name in named:
        try:
            found = operations.status(scope, name, host)
        except Failure as error:
            if options.name:
                raise
            rows.append({"mirror": name, "status": None, "error": error.as_data()})
            if not out.json:
                out.complain(error)
            continue
        rows.append({"mirror": name, "status": found.as_data(), "error": None})
        if not out.json:
            from lbkit.faces.render.mirror import show_status  # noqa: PLC0415 - brings rich

            master = next(mirror.master for mirror in mirrors_of(scope) if mirror.name == name)
            show_status(out, found, master, host.clock.now())
    if out.json:
        out.document({"schema": "lbkit.mirror-status/1", "topology": scope.name, "mirrors": rows})
    elif not named:
        out.line(f"{scope.name} declares no mirrors")
    return 0


def log(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    head = {"topology": scope.name, "mirror": options.name}
    if options.extra is not None:
        one = operations.run(scope, options.name, options.extra, host)
        if out.json:
            out.document({"schema": "lbkit.mirror-run/1", **head, **one.as_data()})
        else:
            from lbkit.faces.render.mirror import show_run  # noqa: PLC0415 - brings rich

            show_run(out, one)
        return 0
    runs = operations.log(scope, options.name, host, last=options.last)
    if out.json:
        out.document({"schema": "lbkit.mirror-log/1", **head, "runs": [run.as_data() for run in runs]})
    elif runs:
        from lbkit.faces.render.mirror import show_runs  # noqa: PLC0415 - brings rich

        show_runs(out, runs)
    else:
        out.line(f"{options.name}: no run yet")
    return 0


def verify(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    with Transfer(out) as transfer:
        found = operations.verify(
            scope, options.name, host, mend=options.mend, only=options.only, watch=transfer.watch
        )
    bad = bool(found.left or found.failed)
    if out.json:
        out.document({"schema": "lbkit.mirror-verify/1", "topology": scope.name, **found.as_data()})
        return int(bad)
    for each in found.verified:
        out.line(verified_words(each), "yellow" if each.left or each.failed else "green")
        for one in each.first:
            out.line(f"  {one.get('serial')}: {one.get('path')} {one.get('fault')}", "dim")
    if found.left and not options.mend:
        out.line(f"to do: `lbkit mirror verify --mend {options.name}` gets those files anew", "yellow")
    return int(bad)


def release(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    held = operations.release(scope, options.name, host)
    if out.json:
        head = {"schema": "lbkit.mirror-release/1", "topology": scope.name}
        out.document({**head, "mirror": options.name, "held": held})
    else:
        out.line(f"{options.name}: {'runs go on as declared' if held else 'nothing was held: nothing to do'}")
    return 0


def push(options: argparse.Namespace, out: Out) -> int:
    scope, host = loaded(options)
    number = operations.push(scope, options.name, host)
    if out.json:
        head = {"schema": "lbkit.mirror-push/1", "topology": scope.name}
        out.document({**head, "mirror": options.name, "push": number})
    else:
        out.line(f"{options.name}: a run begins as soon as none is under way")
    return 0
