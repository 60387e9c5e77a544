"""The two launchers: `http serve|reload CONFIG`, `rsync serve|reload CONFIG`. What they serve, and where, CONFIG says."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.mirror.program import run
from lbkit.mirror.serving import http as web
from lbkit.mirror.serving import rsync as daemon


def http(arguments: Sequence[str]) -> int:
    return run(arguments, web.serve, web.reload)


def rsync(arguments: Sequence[str]) -> int:
    return run(arguments, daemon.serve, daemon.reload)
