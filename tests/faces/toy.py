"""A room of a world that is a dictionary, with a view of it: the faces are tested without a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.change import Action, Change, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Done
from lbkit.engine.scope import Scope
from lbkit.engine.traffic import Counters, Sample, Traffic
from lbkit.engine.view import Check, Finding, Health, Picture, Status
from tests.engine.model_room import OWNER, ModelRoom, stand, thing
from tests.faces.pictures import web_picture

CONFIG = "global\n  maxconn 100\nfrontend shop\n  bind :80\n"


@dataclass
class ToyRoom(ModelRoom):
    """`at` is called before each change is carried out: where a test lets things happen. `refuses`: to hold."""

    at: Callable[[Change], None] | None = None
    refuses: bool = False
    looks: int = 0

    def judge_update(self, want: Desired, have: Actual) -> Verdict | None:
        verdict = super().judge_update(want, have)
        return verdict and Verdict(Action.UPDATE, Impact.RELOAD, verdict.reason)

    def apply(self, changes: Sequence[Change], scope: Scope, host: Host, done: Done) -> None:
        for change in changes:
            if self.at:
                self.at(change)
            super().apply([change], scope, host, done)

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        for key in sorted(self.wanted):
            there = key in self.world
            yield Status(
                key,
                there,
                Health.UP if there else Health.DOWN,
                "as it should be" if there else "it does not stand",
                {"since": 3} if there else {},
                Key("thing", "floor") if key.name == "wall" else None,
            )

    def picture(self, scope: Scope) -> Picture:
        return web_picture()

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> list[Finding] | None:
        if list(path) != ["shop", "web", "web-1"]:
            return None
        return [
            Finding(True, "the server is declared"),
            Finding(False, "it answers its health check", "GET /healthz: 503\nsince 4 s"),
            Finding(None, "1 of 3 requests would go here"),
        ]

    def explainable(self, scope: Scope) -> list[str]:
        return ["shop/web/web-1"]

    def sample(self, scope: Scope, host: Host) -> Traffic:
        """Each look is a second after the one before; lb-2 begins anew at the third."""
        self.looks += 1
        there = [("lb-1", "7", self.looks), ("lb-2", "8" if self.looks < 3 else "9", self.looks % 3)]
        samples = []
        for place, counted_by, seconds in there:
            sick = place == "lb-2"
            one = Sample(
                "frontend", "shop/http", place, counted_by, self.looks, True, "OPEN", "", 0, 3, 0, Counters()
            )
            both = one._replace(state="UP", queue=2)
            samples += [
                one._replace(counters=Counters(*(seconds * each for each in (15_000, 2_000_000, 3_500, 0.25)))),
                one._replace(
                    kind="server", path="shop/web/web-1", up=not sick, state="DOWN" if sick else "UP",
                    check="L4CON" if sick else "L7OK 200", weight=10,
                    counters=Counters(seconds * 7.25, 1_000 * seconds, 0, 0, seconds, 0, 0),
                ),
                one._replace(kind="server", path="shop/web/web-2", state="UP", check="L7OK 200", weight=1),
                both._replace(
                    kind="backend", path="shop/web", counters=Counters(*(seconds * each for each in (15_000, 0, 0, 0, 1)))
                ),
            ]  # fmt: skip
        return Traffic(tuple(samples), ("shop at lb-3: HAProxy does not run",))

    def holdable(self, scope: Scope) -> list[str]:
        return ["shop/web/web-1", "shop/web/web-2"]

    def enact_hold(self, scope: Scope, host: Host, path: str) -> list[Finding]:
        if self.refuses:
            raise Failure("web-1 was to be drained", found="no answer", where="lb-1")
        held = path in scope.holds
        return [
            Finding(True, f"lb-1: {'drained' if held else 'UP'}", "set server web/web-1 state ..."),
            Finding(None, "lb-2: HAProxy does not run"),
        ]

    def doctor(self, host: Host) -> list[Check]:
        return [
            Check("kernel", True, "6.1"),
            Check("nft", False, "not found", "apt install nftables", needed=False),
        ]


def house() -> ToyRoom:
    """A floor stands under another value, a roof is too much, a wall and a door are missing."""
    floor = thing("floor", 2)
    wall = Desired(
        Key("thing", "wall"),
        {"config": CONFIG, "key": Secret(b"hunter2")},
        frozenset({Key("thing", "floor")}),
    )
    door = thing("door", requires=["wall"])
    roof = thing("roof")
    room = ToyRoom(wanted={want.key: want for want in (floor, wall, door)})
    room.world = {
        Key("thing", "floor"): stand(thing("floor", 1)),
        Key("thing", "roof"): stand(roof),
        Key("thing", "tree"): stand(thing("tree"), "somebody"),
    }
    return room


__all__ = ["CONFIG", "OWNER", "ToyRoom", "house"]
