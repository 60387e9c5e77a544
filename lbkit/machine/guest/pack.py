"""The guest's program as one file (base/pack.py)."""

from __future__ import annotations

from lbkit.base.pack import Packed, Program

__all__ = ["ENTRY", "PROGRAM", "Packed", "modules", "packed", "program_digest"]

ENTRY = "lbkit.machine.guest.server"

PROGRAM = Program(
    (ENTRY, "lbkit.health.probe", "lbkit.machine.local.shim"),
    """import sys
from pathlib import Path
from lbkit.machine.guest.server import main
sys.exit(main(sys.argv[1:], Path(sys.argv[0]).resolve(), {digest!r}))
""",
)


def packed() -> Packed:
    """The program of this lbkit. The guest says its digest in its hello."""
    return PROGRAM.packed()


def program_digest() -> str:
    """That of `packed`, without packing."""
    return PROGRAM.digest


def modules() -> tuple[str, ...]:
    """Every module of lbkit's that the program may import, in the order of their names."""
    return PROGRAM.modules
