"""The story itself: each chapter does something to the example, and says which promise that tested."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from lbkit import operate
from lbkit.base.errors import Failure
from lbkit.base.files import make_folder, write_atomic
from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from lbkit.engine.change import Impact
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health, Status
from lbkit.faces.demo.clients import (
    IMPATIENT,
    Answer,
    Client,
    by_server,
    failed,
    fetch,
    outage,
    resolve,
    slowest,
)
from lbkit.faces.demo.leftovers import things
from lbkit.faces.demo.playbooks import CHECKOUT, Recap, play
from lbkit.faces.graph.svg import svg
from lbkit.faces.out import Out
from lbkit.faces.render.plan import show_plan
from lbkit.faces.render.status import show_status
from lbkit.machine.handle import machine

NAME = "shop.example.test"
PAGES = 20
PATIENCE = 20.0  # seconds that anything may take that the story waits for
POLL = 0.2  # seconds


@dataclass
class Story:
    """One telling. `promises` grows by what was promised and whether it was kept."""

    out: Out
    picture: Path
    topology: Path
    host: Host = field(default_factory=Host)
    promises: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scope: Scope = operate.load(self.topology)

    def tell(self, *, keep: bool) -> int:
        """The exit code: 0 where every promise was kept. Whatever happens, the topology is taken down."""
        before = things()
        try:
            self.deploy()
            self.use()
            if keep:
                self.look_around()
            else:
                self.grow_and_shrink()
                self.lose_a_web_server()
                self.lose_a_load_balancer()
                self.repair()
                self.apply_again()
                self.show()
        finally:
            self.take_down(before)
        return self.conclude()

    def deploy(self) -> None:
        self.chapter("Ansible makes examples/web.yml stand")
        show_plan(self.out, operate.plan(self.scope, self.host))
        recap = self.play("site.yml")
        self.promise("everything that is declared stands and works", recap.changed == 1 and self.all_up())

    def use(self) -> None:
        self.chapter("Clients find it and use it")
        server = self.address_of("machines.ns")
        found = resolve(NAME, server)
        self.say(f"{NAME} is {found}, says the zone's server {server}")
        self.promise("the zone names the virtual address", found == self.address)
        answers = [fetch(found) for _ in range(PAGES)]
        self.say(f"{PAGES} pages fetched there: {by_server(answers)}; {_lost(answers)}")
        self.promise(
            "every page comes, from every web server", not failed(answers) and len(_servers(answers)) == 3
        )

    def grow_and_shrink(self) -> None:
        self.chapter("A web server more, then one less, while lbkit itself asks for pages all the time")
        grown = self.topology.with_name("grown.yml")
        grown.write_text(self.topology.read_text().replace("count: 3", "count: 4"))
        kept = []
        for topology in (grown, self.topology):
            scope = operate.load(topology)
            plan = operate.plan(scope, self.host)
            if topology is grown:
                show_plan(self.out, plan)
            self.say(f"$ lbkit apply --prove {topology.name}")
            proof = operate.apply(scope, self.host, prove=True).proof
            impacts = {change.impact for change in plan.changes if change.key.kind == "haproxy"}
            kept.append(
                proof is not None and not proof.failed and proof.sent > 0 and impacts == {Impact.HITLESS}
            )
            if proof is not None:
                self.say(
                    f"{proof.sent} requests meanwhile, {proof.failed} failed, {proof.cut} cut, no reload"
                )
        self.promise("a server comes and goes without a reload or a lost request", all(kept))

    def lose_a_web_server(self) -> None:
        self.chapter("A web server is killed, while a client goes on")
        victim = machine(self.scope, self.host, "web-2").running()["app"]
        with Client(self.address) as client:
            self.wait(lambda: len(client.answers) >= PAGES, "the client to be served")
            self.say(f"kill -9 {victim.pid}, the app of web-2")
            os.kill(victim.pid, signal.SIGKILL)
            self.wait(
                lambda: self.status("server", "shop/web/web-2").health is Health.DOWN,
                "HAProxy's health checks to take web-2 out",
            )
            taken_out = time.monotonic()
            self.wait(
                lambda: _since(client.answers, taken_out) >= PAGES, "the client to be served after that"
            )
        after = [answer for answer in client.answers if answer.began > taken_out]
        self.say(
            f"{len(client.answers)} requests, {_lost(client.answers)}; then served by: {by_server(after)}"
        )
        # what web-2 had taken on when it died is lost with it; HAProxy tries a connection that failed elsewhere
        self.promise(
            "traffic goes on without a dead web server",
            len(failed(client.answers)) <= 1 and not failed(after) and _servers(after) == {"web-1", "web-3"},
        )

    def lose_a_load_balancer(self) -> None:
        self.chapter("The active HAProxy is killed, while a client goes on")
        active = self.holder()
        victim = next(
            each
            for each in machine(self.scope, self.host, active).running().values()
            if each.kind == "haproxy"
        )
        with Client(self.address, IMPATIENT) as client:
            self.wait(lambda: len(client.answers) >= PAGES, "the client to be served")
            self.say(f"kill -9 the HAProxy of {active}, pid {victim.pid} and its worker")
            os.killpg(victim.pid, signal.SIGKILL)  # a program of a machine leads a session of its own
            self.wait(lambda: self.holder() not in {"", active}, "the virtual address to move")
            moved = time.monotonic()
            self.wait(lambda: _since(client.answers, moved) >= PAGES, "the client to be served after that")
        seconds = outage(client.answers)
        self.say(
            f"{self.address} moved from {active} to {self.holder()}: of {len(client.answers)} requests "
            f"{_lost(client.answers)}"
        )
        self.say(
            f"clients saw errors for {(seconds or 0) * 1000:.0f} ms; "
            f"the slowest page took {slowest(client.answers) * 1000:.0f} ms"
        )
        self.promise("the virtual address moves, and clients are served again", seconds is not None)

    def repair(self) -> None:
        self.chapter("Ansible again: it repairs what died, and touches nothing else")
        plan = operate.plan(self.scope, self.host)
        show_plan(self.out, plan)
        recap = self.play("site.yml")
        self.wait(self.all_up, "every server to be up again")
        self.promise("what died runs again", recap.changed == 1 and len(plan.changes) == 2)

    def apply_again(self) -> None:
        self.chapter("And once more: nothing to do")
        before = things()
        recap = self.play("site.yml")
        self.promise(
            "a second apply changes nothing and starts no process", recap.changed == 0 and things() == before
        )

    def show(self) -> None:
        self.chapter("How it is")
        rows = operate.status(self.scope, self.host)
        show_status(self.out, self.scope.name, rows)
        make_folder(self.picture.parent)
        write_atomic(self.picture, svg(self.scope.name, operate.picture(self.scope), rows).encode())
        self.say(f"its picture: {self.picture}")

    def look_around(self) -> None:
        self.show()
        shell = os.environ.get("SHELL") or "/bin/sh"
        self.chapter(f"Look around: {shell} in the sandbox; exit takes everything down")
        for hint in (
            f"curl http://{self.address}/",
            f"lbkit status {self.topology}",
            f"lbkit explain {self.topology} shop/web/web-1",
            "ip netns exec web.lb-1 ip address",
            f"lbkit apply {self.topology}   # after you broke something",
        ):
            self.say(hint)
        # a shell and what runs in it belong to whoever sits there: any exit code is theirs
        own = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where `lbkit` is
        subprocess.run([shell], check=False, cwd=CHECKOUT, env={**os.environ, "PATH": own})

    def take_down(self, before: frozenset[str]) -> None:
        self.chapter("Ansible takes it down")
        self.play("teardown.yml")
        left = sorted(things() - before)
        for thing in left:
            self.say(f"left: {thing}")
        self.promise("no namespace, link, process, table, mount or file is left", not left)

    def conclude(self) -> int:
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

    def play(self, playbook: str) -> Recap:
        self.say(f"$ ansible-playbook playbooks/{playbook}")
        began = time.monotonic()
        recap = play(playbook, self.topology)
        self.say(f"{recap.line}, {time.monotonic() - began:.1f} s")
        return recap

    def wait(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise Failure(f"{what} was waited for", found=f"not within {PATIENCE:g} s")
            time.sleep(POLL)

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


def tell(out: Out, picture: Path, *, keep: bool) -> int:
    """Tell it on a copy of the example with a TSIG key of its own, inside a sandbox. The exit code."""
    examples = CHECKOUT / "examples"
    if not (examples / "web.yml").exists():
        raise Failure(
            "the demo was to show the example of a checkout",
            found=f"no {examples / 'web.yml'}",
            remedy="clone lbkit's repository, and run `make demo` there",
        )
    with tempfile.TemporaryDirectory(prefix="lbkit-demo-") as folder:
        copy = Path(folder, "examples")
        shutil.copytree(examples, copy, ignore=shutil.ignore_patterns("*.key"))
        write_key(copy / "tsig.key")
        return Story(out, picture, copy / "web.yml").tell(keep=keep)


def _lost(answers: Sequence[Answer]) -> str:
    bad = failed(answers)
    return f"{len(bad)} failed ({bad[0].error})" if bad else "none failed"


def _servers(answers: Sequence[Answer]) -> set[str]:
    return {answer.server for answer in answers if not answer.error}


def _since(answers: Sequence[Answer], moment: float) -> int:
    return sum(not answer.error and answer.began > moment for answer in answers)
