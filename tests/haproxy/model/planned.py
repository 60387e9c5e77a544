"""lbkit at the model: look, plan, carry out, as an apply does; and what has to be true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.haproxy.execution import Execution
from lbkit.haproxy.looking import look
from lbkit.haproxy.probing import Passed
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.transition.planner import Transition, Way, transition
from lbkit.haproxy.transition.state import Wanted
from lbkit.haproxy.transition.steps import Names
from lbkit.haproxy.wanted import wanted_on
from tests.haproxy.model.machine import ModelMachine
from tests.haproxy.model.server import words_of
from tests.haproxy.model.world import Killed, ModelClock, World
from tests.haproxy.topologies import Document, load

HOST = Host(run_dir=Path("/nowhere"))


def wanted(data: Document) -> Wanted:
    return wanted_in(load(data))


def wanted_in(scope: Scope) -> Wanted:
    balancer = scope.of("haproxy", LoadBalancers).by_name["shop"]
    return wanted_on(balancer, "lb-1", scope, HOST)


@dataclass
class Applied:
    """`failure`: why it ended early, "" where it did not. `killed`: it was."""

    way: Transition
    failure: str = ""
    killed: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass
class Lbkit:
    machine: ModelMachine

    @property
    def world(self) -> World:
        return self.machine.world

    def plan(self, want: Wanted) -> Transition:
        running = look(self.machine.instance, ModelClock(self.world), by_hand=want.by_hand == "keep")
        return transition(running, want)

    def apply(self, want: Wanted, *, life: int | None = None) -> Applied:
        """`life`: of how many effects it is killed after."""
        running = look(self.machine.instance, ModelClock(self.world), by_hand=want.by_hand == "keep")
        way = transition(running, want)
        done = Applied(way)
        ask = Prober(self.world, want)
        work = Execution(self.machine.instance, running, want, ask, lambda _: None, ModelClock(self.world))
        self.world.life = life
        try:
            done.notes = work.carry_out(way.steps)
        except Failure as error:
            done.failure = str(error)
        except Killed:
            done.killed = True
        finally:
            self.world.life = None
        return done

    def settles(self, want: Wanted) -> None:
        """Applied, checks pass or fail, and nothing is left to be done."""
        done = self.apply(want)
        assert not done.failure, done.failure
        again = self.plan(want)
        assert again.way is Way.NOTHING, (again.reason, again.lines)
        self.world.pass_time(30)
        again = self.plan(want)
        assert again.way is Way.NOTHING, (again.reason, again.lines)


@dataclass
class Prober:
    """Who is alive passes, of those whose backend has a check."""

    world: World
    want: Wanted

    def __call__(self, names: Names, seconds: float) -> Passed:
        self.world.pass_time(0.01)
        up = {name for name in names if self._passes(name)}
        return Passed(frozenset(up), {name: "L4CON" for name in names if name not in up})

    def _passes(self, name: str) -> bool:
        server = self.want.server(name)
        return server.checked and self.world.asked((server.address, server.port))


def started(want: Wanted, world: World | None = None, version: str = "3.0") -> Lbkit:
    """A model that runs what is wanted, long enough for its checks to have said what they say."""
    lbkit = Lbkit(ModelMachine(world or World(), version))
    done = lbkit.apply(want)
    assert not done.failure, done.failure
    lbkit.world.pass_time(30)
    lbkit.world.harm.clear()
    return lbkit


def serving(lbkit: Lbkit) -> Mapping[str, int]:
    worker = lbkit.machine.worker
    return {backend: len(targets) for backend, targets in worker.serving().items()} if worker else {}


__all__ = ["Applied", "Lbkit", "serving", "started", "wanted", "wanted_in", "words_of"]
