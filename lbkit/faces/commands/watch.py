"""`lbkit watch`: keep a topology as it was applied, unattended."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from lbkit.faces.arguments import Commands, command, host_of, takes_host, takes_topology
from lbkit.faces.ending import INTERRUPTED
from lbkit.faces.options import wait_of
from lbkit.faces.out import Out, Unwritable

if TYPE_CHECKING:
    from types import FrameType

    from lbkit.watch.keeping import Keeping, Terms
    from lbkit.watch.telling import Said

_MORE = (
    "Looks every --interval, and at once where something tells of a change, and repairs what is no longer as a person "
    "applied it last: a file that was edited is carried out by `lbkit apply` alone. SIGHUP: look now, and read the file "
    "again. SIGTERM and Ctrl-C end it after the step under way. One line for each thing done; with --json, JSON lines."
)


def add(commands: Commands) -> None:
    parser = command(commands, "watch", run, about="keep it as it was applied, unattended", more=_MORE)
    takes_topology(parser)
    parser.add_argument(
        "--interval",
        metavar="TIME",
        type=_interval,
        default=10.0,
        help="between two looks: 1s to 1d, by default 10s",
    )
    parser.add_argument(
        "--budget",
        metavar="N/h",
        type=_budget,
        default=20,
        help="changes that it may begin in an hour, by default 20/h; 0/h: only tell",
    )
    parser.add_argument(
        "--only",
        metavar="KIND[/NAME]",
        action="append",
        default=[],
        help="repair only this, such as service, 'service/web-*' or haproxy; may be given again",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="look once and end, as from cron: 0 all is well, 1 failure, 2 something is left to a person",
    )
    takes_host(parser)


def run(options: argparse.Namespace, out: Out) -> int:
    from lbkit.watch.alone import alone  # noqa: PLC0415 - not for --help
    from lbkit.watch.keeping import Keeping, Terms  # noqa: PLC0415 - brings every room

    host = host_of(options)
    log = _Log(out, host.clock.now)
    terms = Terms(options.interval, options.budget, _patterns(options.only))
    keeping = Keeping(options.file, terms, host, log)
    log.topology = keeping.scope.name
    log.gone = keeping.retire
    with closing(keeping), alone(keeping.scope.name, host), _signals(keeping) as ended_by:
        if options.once:
            code = int(keeping.once())
        else:
            log.begin(terms)
            keeping.run()
            log.end(ended_by)
            code = INTERRUPTED if signal.SIGINT in ended_by else 0
    if log.unread is not None:
        raise log.unread
    return code


class _Log:
    """One line for each thing said. What cannot be written stops no repair: the journal has what was done."""

    def __init__(self, out: Out, now: Callable[[], datetime]) -> None:
        self._out = out
        self._now = now
        self.topology = ""
        self.unread: BrokenPipeError | None = None
        self.gone: Callable[[], None] = lambda: None

    def begin(self, terms: Terms) -> None:
        from lbkit.watch.telling import Said  # noqa: PLC0415 - not for --help

        only = f", {', '.join(terms.only)} only" if terms.only else ""
        every = f"watches: looks every {terms.interval:g} s, begins {terms.budget} changes in an hour at most{only}"
        self(Said("watching", every))

    def end(self, ended_by: list[signal.Signals]) -> None:
        from lbkit.watch.telling import Said  # noqa: PLC0415 - not for --help

        by = ended_by[0].name if ended_by else ""
        self(Said("ended", f"ended by {by}" if by else "ended"))

    def __call__(self, said: Said) -> None:
        time = self._now().isoformat(timespec="seconds")
        try:
            if self._out.json:
                self._out.write(_json_line(time, self.topology, said))
            else:
                from lbkit.faces.render.harmless import one_line  # noqa: PLC0415 - not for --help

                self._out.write(one_line(f"{time} {self.topology}: {said.text}") + "\n")
        except BrokenPipeError as error:
            self.unread = error
            self.gone()
        except Unwritable:
            return


def _json_line(time: str, topology: str, said: Said) -> str:
    import json  # noqa: PLC0415 - for programs

    head = {"schema": "lbkit.watch/1", "time": time, "topology": topology, "event": said.event}
    return json.dumps({**head, "text": said.text, **said.data}, ensure_ascii=False) + "\n"


@contextmanager
def _signals(keeping: Keeping) -> Iterator[list[signal.Signals]]:
    """SIGTERM and SIGINT end it in order, a second one at once; SIGHUP has it look. Those that came."""
    came: list[signal.Signals] = []

    def end(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        if len(came) > 1:
            raise KeyboardInterrupt
        keeping.stop()

    def look(_number: int, _frame: FrameType | None) -> None:
        keeping.reread()

    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGHUP, look))
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interval(text: str) -> float:
    try:
        seconds = wait_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from error
    if not 1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"1s to 1d, not {text!r}")
    return seconds


def _budget(text: str) -> int:
    number = text.removesuffix("/h")
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise argparse.ArgumentTypeError(f"changes in an hour, such as 20/h, not {text!r}")
    return int(number)


def _patterns(texts: list[str]) -> tuple[str, ...]:
    """Mistake where one can name nothing."""
    if not texts:
        return ()
    from fnmatch import fnmatchcase  # noqa: PLC0415 - for those who choose

    from lbkit.base.errors import Mistake  # noqa: PLC0415
    from lbkit.base.problems import near  # noqa: PLC0415
    from lbkit.topology.register import rooms  # noqa: PLC0415

    kinds = {kind for room in rooms() for kind in room.kinds}
    for text in texts:
        kind = text.partition("/")[0]
        if not any(fnmatchcase(known, kind) for known in kinds):
            raise Mistake(f"{text!r} was to name a kind of thing", found=repr(kind), remedy=near(kind, kinds))
    return tuple(texts)
