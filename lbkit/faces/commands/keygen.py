"""`lbkit keygen`: a new TSIG key in a file that only its owner can read."""

from __future__ import annotations

import argparse
from pathlib import Path

from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "keygen",
        run,
        about="make a TSIG key for dynamic DNS in a new file",
        more="Its mode is 600. An existing file is never written over.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument(
        "--name", default="lbkit", help="the key's name, as in the topology; by default lbkit"
    )
    parser.add_argument("--algorithm", default="hmac-sha256", help="by default hmac-sha256")


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit.dns.keygen import write_key  # noqa: PLC0415 - not for --help

    write_key(options.file, options.name, options.algorithm)
    if out.json:
        out.document({"schema": "lbkit.keygen/1", "file": str(options.file), "name": options.name})
    else:
        out.write(f"wrote {options.file}\n")
    return 0
