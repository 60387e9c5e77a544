"""How a story is told: chapters, what is said, what was promised and whether it was kept; and what all stories look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from lbkit import operate
from lbkit.base.errors import Failure
from lbkit.base.files import make_folder, write_atomic
from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health, Status
from lbkit.faces.demo.clients import Answer, by_server, failed, fetch, resolve
from lbkit.faces.demo.playbooks import CHECKOUT
from lbkit.faces.graph.svg import svg
from lbkit.faces.out import Out
from lbkit.faces.render.status import show_status

NAME = "shop.example.test"
PAGES = 20
POLL = 0.2  # seconds


@dataclass
class Telling:
    """One telling. `promises` grows by what was promised and whether it was kept."""

    out: Out
    picture: Path
    topology: Path
    host: Host = field(default_factory=Host)
    promises: list[tuple[str, bool]] = field(default_factory=list)
    patience: float = 20.0  # seconds that anything may take that the story waits for

    def __post_init__(self) -> None:
        self.scope: Scope = operate.load(self.topology)

    def use(self) -> None:
        self.chapter("Clients find it and use it")
        server = self.address_of("machines.ns")
        found = resolve(NAME, server)
        self.say(f"{NAME} is {found}, says the zone's server {server}")
        self.promise("the zone names the virtual address", found == self.address)
        answers = [fetch(found) for _ in range(PAGES)]
        self.say(f"{PAGES} pages fetched there: {by_server(answers)}; {lost(answers)}")
        self.promise(
            "every page comes, from every web server", not failed(answers) and len(servers(answers)) == 3
        )

    def show(self) -> None:
        self.chapter("How it is")
        rows = operate.status(self.scope, self.host)
        show_status(self.out, self.scope.name, rows)
        make_folder(self.picture.parent)
        write_atomic(self.picture, svg(self.scope.name, operate.picture(self.scope), rows).encode())
        self.say(f"its picture: {self.picture}")

    def look_around(self, inside: str, *, page: str = "", path: str = "shop/web/web-1") -> None:
        """`inside`: a command that looks into a machine. `page`: what is asked of the load balancer; `path`: what to explain."""
        self.show()
        shell = os.environ.get("SHELL") or "/bin/sh"
        self.chapter(f"Look around: {shell} in the sandbox; exit takes everything down")
        for hint in (
            f"curl http://{self.address}/{page}",
            f"lbkit status {self.topology}",
            f"lbkit explain {self.topology} {path}",
            inside,
            f"lbkit apply {self.topology}   # after you broke something",
        ):
            self.say(hint)
        # a shell and what runs in it belong to whoever sits there: any exit code is theirs
        own = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where `lbkit` is
        subprocess.run([shell], check=False, cwd=CHECKOUT, env={**os.environ, "PATH": own})

    def conclude(self) -> int:
        """The exit code: 0 where every promise was kept."""
        self.chapter("What was promised")
        for promise, kept in self.promises:
            self.out.show(
                Text(f"  {'kept' if kept else 'BROKEN':6}  {promise}", style="green" if kept else "bold red")
            )
        return 0 if all(kept for _, kept in self.promises) else 1

    def chapter(self, title: str) -> None:
        self.out.show("", Text(f"== {title}", style="bold cyan", overflow="fold"))

    def say(self, text: str) -> None:
        self.out.show(Text(f"  {text}", overflow="fold"))

    def promise(self, text: str, kept: bool) -> None:  # noqa: FBT001 - what the promise came to
        self.promises.append((text, kept))

    def wait(self, done: Callable[[], bool], what: str, *, often: float = POLL) -> None:
        end = time.monotonic() + self.patience
        while not done():
            if time.monotonic() > end:
                raise Failure(f"{what} was waited for", found=f"not within {self.patience:g} s")
            time.sleep(often)

    def status(self, kind: str, name: str) -> Status:
        key = Key(kind, name)
        return next(row for row in operate.status(self.scope, self.host) if row.key == key)

    def all_up(self) -> bool:
        return all(row.present and row.health is Health.UP for row in operate.status(self.scope, self.host))

    def holder(self) -> str:
        """Which load balancer has the virtual address; empty while none has."""
        return next(iter(self.status("vip", "shop").facts["holders"]), "")

    def address_of(self, reference: str) -> str:
        """The first address on the front network of what the document calls so."""
        endpoints = self.scope.book.endpoints(reference) or ()
        return str(next(address for endpoint in endpoints for address in endpoint.on(["front"])))

    @property
    def address(self) -> str:
        return self.address_of("load_balancers.shop")


@contextmanager
def copied(name: str) -> Iterator[Path]:
    """The example of that name among copies of all, with keys of its own; they go with the block."""
    examples = CHECKOUT / "examples"
    if not (examples / name).exists():
        raise Failure(
            "the demo was to show the example of a checkout",
            found=f"no {examples / name}",
            remedy="clone lbkit's repository, and run `make demo` there",
        )
    with tempfile.TemporaryDirectory(prefix="lbkit-demo-") as folder:
        copy = Path(folder, "examples")
        shutil.copytree(examples, copy, ignore=shutil.ignore_patterns("*.key"))
        for key in ("tsig.key", "archive.key"):
            write_key(copy / key)
        yield copy / name


def lost(answers: Sequence[Answer]) -> str:
    bad = failed(answers)
    return f"{len(bad)} failed ({bad[0].error})" if bad else "none failed"


def servers(answers: Sequence[Answer]) -> set[str]:
    return {answer.server for answer in answers if not answer.error}


def since(answers: Sequence[Answer], moment: float) -> int:
    """How many were answered well of those that began after it."""
    return sum(not answer.error and answer.began > moment for answer in answers)
