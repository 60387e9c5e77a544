"""What a machine is given of mirrors is one file, and this is where it begins: `keeper|node|http|rsync` and that program's words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lbkit.base.errors import Mistake


def main(arguments: Sequence[str]) -> int:
    """Its exit code. Each imports what is its own alone."""
    match arguments:
        case ["keeper", *rest]:
            from lbkit.mirror.keeper.main import main as keeper  # noqa: PLC0415

            return keeper(rest)
        case ["node", *rest]:
            from lbkit.mirror.node.main import main as node  # noqa: PLC0415

            return node(rest)
        case ["http", *rest]:
            from lbkit.mirror.serving.main import http  # noqa: PLC0415

            return http(rest)
        case ["rsync", *rest]:
            from lbkit.mirror.serving.main import rsync  # noqa: PLC0415

            return rsync(rest)
    error = Mistake(
        "`keeper`, `node`, `http` or `rsync` was to be said", found=" ".join(arguments) or "nothing"
    )
    print(error, file=sys.stderr, flush=True)
    return error.exit_code
