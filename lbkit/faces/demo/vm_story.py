"""The story of the example in virtual machines: one dies under load, the other serves, and an apply makes it anew."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from lbkit import operate
from lbkit.engine.change import Action
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Key
from lbkit.faces.demo.clients import Client, failed, unanswered
from lbkit.faces.demo.leftovers import things
from lbkit.faces.demo.telling import PAGES, Telling, copied, lost, since
from lbkit.faces.out import Out
from lbkit.faces.render.progress import Progress
from lbkit.faces.telling import tell_plan
from lbkit.hypervisor.accelerator import kvm_works
from lbkit.hypervisor.daemon import SYSTEM_RUN, start_for_sandbox
from lbkit.hypervisor.resolve import default_host

PATIENCE = 300.0  # seconds: an emulated guest has its own pace
WAITS = 1.0  # seconds that the client waits for an answer


class VmStory(Telling):
    def tell(self, *, keep: bool) -> int:
        """The exit code: 0 where every promise was kept. Whatever happens, the topology is taken down."""
        before = self.things()
        try:
            self.deploy()
            self.use()
            if keep:
                self.look_around("virsh -c qemu:///system list")
            else:
                active = self.lose_a_load_balancer()
                self.repair(active)
                self.apply_again()
                self.show()
        finally:
            self.take_down(before)
        return self.conclude()

    def deploy(self) -> None:
        self.chapter(
            "examples/web-vm.yml: two HAProxys in virtual machines, the rest in namespaces beside them"
        )
        began = time.monotonic()
        self.apply()
        self.wait(self.all_up, "every server to be up")
        self.say(f"from the plan to a service that serves: {time.monotonic() - began:.1f} s")
        self.promise("everything that is declared stands and works", self.all_up())

    def lose_a_load_balancer(self) -> str:
        """Its name."""
        active = self.holder()
        domain = str(self.status("machine", active).facts["domain"])
        self.chapter("The QEMU of the active load balancer is killed, while a client goes on")
        with Client(self.address, WAITS) as client:
            self.wait(lambda: len(client.answers) >= PAGES, "the client to be served")
            pid = int((SYSTEM_RUN / "qemu" / f"{domain}.pid").read_text(encoding="ascii"))
            self.say(f"kill -9 {pid}, the QEMU of {domain}, which has {self.address}")
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            self.wait(lambda: self.holder() not in {"", active}, "the virtual address to move")
            moved = time.monotonic()
            self.wait(lambda: since(client.answers, moved) >= PAGES, "the client to be served after that")
        seconds = unanswered(client.answers, killed)
        self.say(
            f"{self.address} moved from {active} to {self.holder()}; of {len(client.answers)} requests {lost(client.answers)}"
        )
        self.say(f"the outage: nobody was answered for {(seconds or 0) * 1000:.0f} ms")
        self.promise("the virtual address moves, and clients are served again", seconds is not None)
        return active

    def repair(self, active: str) -> None:
        self.chapter("The plan says what is wrong, and an apply makes a new machine, while a client goes on")
        domains = self.domains()
        plan = operate.plan(self.scope, self.host)
        found = [change for change in plan.changes if change.key == Key("machine", active)]
        for change in found:
            self.say(f"{change}: {change.reason}")
        self.promise(
            "the plan says which machine died, and touches no other",
            [change.action for change in found] == [Action.REPLACE]
            and len([change for change in plan.changes if change.key.kind == "machine"]) == 1,
        )
        with Client(self.address) as client:
            self.apply()
        self.wait(self.all_up, "every server to be up again")
        self.say(f"{len(client.answers)} requests meanwhile, {lost(client.answers)}")
        gone, come = sorted(domains - self.domains()), sorted(self.domains() - domains)
        self.say(f"{', '.join(gone)} is gone, {', '.join(come)} has its place")
        self.promise("a new generation takes the dead one's place", (len(gone), len(come)) == (1, 1))
        self.promise("that costs no request", not failed(client.answers))

    def apply_again(self) -> None:
        self.chapter("And once more: nothing to do")
        before = self.things()
        plan = self.apply()
        self.promise(
            "a second apply changes nothing and starts no process", not plan and self.things() == before
        )

    def take_down(self, before: frozenset[str]) -> None:
        self.chapter("It is taken down")
        self.apply(absent=True)
        left = sorted(self.things() - before)
        for thing in left:
            self.say(f"left: {thing}")
        self.promise(
            "no domain, volume, pool, TAP, bridge, namespace, process, table, mount or file is left", not left
        )

    def apply(self, *, absent: bool = False) -> Plan:
        """What was done."""
        self.say(f"$ lbkit {'destroy' if absent else 'apply'} examples/{self.topology.name}")
        plan = operate.plan(self.scope, self.host, absent=absent)
        tell_plan(self.out, plan, absent=absent)
        began = time.monotonic()
        progress = Progress(plan, self.out)
        with progress:
            operate.apply(self.scope, self.host, absent=absent, watch=progress.watch)
        self.say(f"{len(progress.done)} changes, {time.monotonic() - began:.1f} s")
        return plan

    def things(self) -> frozenset[str]:
        return things(default_host())

    def domains(self) -> frozenset[str]:
        return frozenset(each for each in self.things() if each.startswith("domain "))


def tell(out: Out, picture: Path, *, keep: bool) -> int:
    """Tell it inside a sandbox, with a libvirtd of its own. The exit code."""
    with copied("web-vm.yml") as topology:
        story = VmStory(out, picture, topology, patience=PATIENCE)
        if not (SYSTEM_RUN / "libvirt-sock").exists():  # `lbkit sandbox --libvirt` has one
            start_for_sandbox(hide_kvm=not kvm_works(story.host))
        return story.tell(keep=keep)
