"""The story of the example in namespaces: each chapter does something to it, and says which promise that tested."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from lbkit import operate
from lbkit.engine.change import Impact
from lbkit.engine.view import Health
from lbkit.faces.demo.clients import IMPATIENT, Client, by_server, failed, outage, slowest
from lbkit.faces.demo.leftovers import things
from lbkit.faces.demo.playbooks import Recap, play
from lbkit.faces.demo.telling import PAGES, Telling, copied, lost, servers, since
from lbkit.faces.out import Out
from lbkit.faces.render.plan import show_plan
from lbkit.machine.handle import machine


class Story(Telling):
    def tell(self, *, keep: bool) -> int:
        """The exit code: 0 where every promise was kept. Whatever happens, the topology is taken down."""
        before = things()
        try:
            self.deploy()
            self.use()
            if keep:
                self.look_around("ip netns exec web.lb-1 ip address")
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
            self.wait(lambda: since(client.answers, taken_out) >= PAGES, "the client to be served after that")
        after = [answer for answer in client.answers if answer.began > taken_out]
        self.say(
            f"{len(client.answers)} requests, {lost(client.answers)}; then served by: {by_server(after)}"
        )
        # what web-2 had taken on when it died is lost with it; HAProxy tries a connection that failed elsewhere
        self.promise(
            "traffic goes on without a dead web server",
            len(failed(client.answers)) <= 1 and not failed(after) and servers(after) == {"web-1", "web-3"},
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
            self.wait(lambda: since(client.answers, moved) >= PAGES, "the client to be served after that")
        seconds = outage(client.answers)
        self.say(
            f"{self.address} moved from {active} to {self.holder()}: of {len(client.answers)} requests "
            f"{lost(client.answers)}"
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

    def take_down(self, before: frozenset[str]) -> None:
        self.chapter("Ansible takes it down")
        self.play("teardown.yml")
        left = sorted(things() - before)
        for thing in left:
            self.say(f"left: {thing}")
        self.promise("no namespace, link, process, table, mount or file is left", not left)

    def play(self, playbook: str) -> Recap:
        self.say(f"$ ansible-playbook playbooks/{playbook}")
        began = time.monotonic()
        recap = play(playbook, self.topology)
        self.say(f"{recap.line}, {time.monotonic() - began:.1f} s")
        return recap


def tell(out: Out, picture: Path, *, keep: bool) -> int:
    """Tell it inside a sandbox. The exit code."""
    with copied("web.yml") as topology:
        return Story(out, picture, topology).tell(keep=keep)
