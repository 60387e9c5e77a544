"""`lbkit top`: what goes through the load balancers now."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from itertools import count as counted
from time import monotonic
from typing import TYPE_CHECKING

from lbkit.faces.arguments import Commands, command, host_of, takes_host, takes_topology
from lbkit.faces.options import wait_of
from lbkit.faces.out import Out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lbkit.base.host import Host
    from lbkit.engine.scope import Scope
    from lbkit.engine.traffic import Flow
    from lbkit.faces.keys import Wait

_MORE = (
    "Frontends, backends and servers, summed over the machines of each load balancer. Changes nothing. At a terminal "
    "it stays until q or Ctrl-C; elsewhere it prints one view after the other, with --json one document."
)
_SHORTEST = 0.1  # seconds


def add(commands: Commands) -> None:
    parser = command(commands, "top", run, about="watch requests, errors and queues as they go", more=_MORE)
    takes_topology(parser)
    parser.add_argument(
        "--interval",
        metavar="TIME",
        type=_interval,
        default=1.0,
        help="between two looks: 1, 500ms, 10s; by default 1s",
    )
    parser.add_argument(
        "--count", metavar="N", type=_number, help="end after so many views; with --json by default 1"
    )
    parser.add_argument("--each", action="store_true", help="each machine by itself, not their sum")
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit import operate  # noqa: PLC0415 - brings every room

    scope = operate.load(options.file)
    host = host_of(options)
    watch = _Watch(scope, host, options.interval, each=options.each)
    if out.json:
        views = [watch.as_data() for _ in watch.views(options.count or 1, host.clock.sleep)]
        out.document(
            {"schema": "lbkit.top/1", "topology": scope.name, "interval": options.interval, "views": views}
        )
    elif out.interactive:
        _live(watch, options.count, out)
    else:
        for number, _ in enumerate(watch.views(options.count, host.clock.sleep)):
            out.show(*([""] if number else []), watch.view())
    return 0


class _Watch:
    """Two samples, the one before and the one now, and what came of them."""

    def __init__(self, scope: Scope, host: Host, interval: float, *, each: bool) -> None:
        from lbkit.engine.traffic import Traffic  # noqa: PLC0415 - not for --help

        self.scope = scope
        self._host = host
        self._interval = interval
        self.each = each
        self._spent = 0.0
        self._before = Traffic()
        self.now = Traffic()
        self.look()

    def look(self) -> None:
        from lbkit import operate  # noqa: PLC0415 - brings every room

        began = self._host.clock.monotonic()
        self._before, self.now = self.now, operate.sample(self.scope, self._host)
        self.time = self._host.clock.now()
        self._spent = self._host.clock.monotonic() - began

    @property
    def rest(self) -> float:
        """Seconds until the next look: never more than half of the time is spent asking."""
        return max(self._interval - self._spent, self._spent)

    @property
    def flows(self) -> list[Flow]:
        from lbkit.engine.traffic import flows, summed  # noqa: PLC0415 - not for --help

        single = flows(self._before, self.now)
        return single if self.each else summed(single)

    def views(self, count: int | None, sleep: Callable[[float], None]) -> Iterator[None]:
        for _ in counted() if count is None else range(count):
            sleep(self.rest)
            self.look()
            yield

    def view(self, *, lines: int | None = None, width: int | None = None) -> RenderableType:
        from lbkit.faces.render.top import view  # noqa: PLC0415 - brings rich

        name = self.scope.name
        return view(name, self.time, self.flows, self.now, each=self.each, lines=lines, width=width)

    def as_data(self) -> dict[str, object]:
        return {
            "time": self.time.isoformat(),
            "silent": list(self.now.silent),
            "flows": [flow.as_data() for flow in self.flows],
        }


class _Ended(Exception):
    """A person pressed q."""


def _live(watch: _Watch, count: int | None, out: Out) -> None:
    from rich.live import Live  # noqa: PLC0415 - for terminals only

    from lbkit.faces.keys import keys  # noqa: PLC0415 - for terminals only

    with (
        suppress(_Ended, KeyboardInterrupt),  # how it is left
        keys() as key,
        Live(console=out.console, screen=True, auto_refresh=False) as live,
    ):
        for _ in chain([None], watch.views(count, partial(_rest, key))):
            screen = out.console.size
            live.update(watch.view(lines=screen.height - 1, width=screen.width), refresh=True)


def _rest(key: Wait, seconds: float) -> None:
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        if key(left).lower() in {"q", "\x1b"}:
            raise _Ended


def _interval(text: str) -> float:
    try:
        seconds = wait_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from error
    if not _SHORTEST <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"100ms to 1d, not {text!r}")
    return seconds


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10**9):
        raise argparse.ArgumentTypeError(f"a number of views, 1 or more, not {text!r}")
    return int(text)
