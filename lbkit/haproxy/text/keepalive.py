"""TCP's probes of silent connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from lbkit.haproxy.spec.traffic import Keepalive
from lbkit.haproxy.text.words import Words


def keepalive(side: Literal["cli", "srv"], section: Keepalive) -> Iterator[Words]:
    yield "option", f"{side}tcpka"
    if section.count is not None:
        yield f"{side}tcpka-cnt", section.count
    if section.idle is not None:
        yield f"{side}tcpka-idle", f"{round(section.idle)}s"
    if section.interval is not None:
        yield f"{side}tcpka-intvl", f"{round(section.interval)}s"
