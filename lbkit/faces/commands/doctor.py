"""`lbkit doctor`: what can this host do, what can it not, and how is that mended?"""

from __future__ import annotations

import argparse

from lbkit.faces.arguments import Commands, command, host_of, takes_host
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "doctor",
        run,
        about="say what this host can and cannot do, and how to mend it",
        more="Changes nothing. Exit code 1 where something is missing that every topology needs.",
    )
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    checks = operate.doctor(host_of(options))
    missing = [check for check in checks if check.needed and not check.good]
    if out.json:
        out.document(
            {
                "schema": "lbkit.doctor/1",
                "good": not missing,
                "checks": [
                    {
                        "name": check.name,
                        "good": check.good,
                        "needed": check.needed,
                        "found": check.found,
                        "remedy": check.remedy,
                    }
                    for check in checks
                ],
            }
        )
    else:
        from lbkit.faces.render.doctor import show_checks  # noqa: PLC0415 - brings rich

        show_checks(out, checks)
    return 1 if missing else 0
