"""`lbkit schema`: the language's JSON Schema, so that editors complete and check a topology."""

from __future__ import annotations

import argparse

from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    command(
        commands,
        "schema",
        run,
        about="print the JSON Schema of topology files",
        more="For editors: `lbkit schema > topology.schema.json`.",
    )


def run(_options: argparse.Namespace, out: Out) -> int:
    from lbkit.topology.schema import json_schema  # noqa: PLC0415 - brings every room

    out.document(json_schema())
    return 0
