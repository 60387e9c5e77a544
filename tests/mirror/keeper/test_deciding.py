"""What the keeper decides keeps its promises, in a fleet whose nodes come, go, and are cut off at any time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lbkit.mirror.keeper.deciding import (
    MASTER,
    Decided,
    Flip,
    Known,
    Node,
    Policy,
    Prepare,
    Tell,
    decide,
    inherited,
)
from lbkit.mirror.node.contact import LAPSES, verdict_of
from lbkit.mirror.talk.words import Verdict
from lbkit.mirror.tree import serial as serials

POLICY = Policy(quorum=2, max_lag=1, floor=1, contact=5.0, fan_out=1)


def digest(serial: int) -> str:
    return f"{serial:064d}"


def node(
    serving: int,
    *has: int,
    silent: float | None = 0.0,
    told: Verdict | None = "ready",
    busy: str | None = None,
) -> Node:
    drained = 60.0 if told == "drain" else None
    return Node(serving, {each: digest(each) for each in has or (serving,)}, silent, told, busy, drained)


def known(committed: int, newest: int, **nodes: Node) -> Known:
    return Known(nodes, (committed, digest(committed)), (newest, digest(newest)), 60.0)


def test_nothing_to_do_is_nothing() -> None:
    assert decide(known(4, 4, a=node(4), b=node(4), c=node(4)), POLICY) == Decided()


def test_nodes_get_the_newest_one_at_a_time_from_each_who_has_it() -> None:
    found = decide(known(4, 5, a=node(4), b=node(4), c=node(4)), POLICY)
    assert found == Decided(prepare=(Prepare("a", 5, (MASTER,)),))
    found = decide(known(4, 5, a=node(4, 4, 5), b=node(4), c=node(4), d=node(4)), POLICY)
    assert found.prepare == (Prepare("b", 5, ("a", MASTER)), Prepare("c", 5, (MASTER, "a")))
    found = decide(
        known(4, 5, a=node(4, 4, 5), b=node(4, busy="a"), c=node(4, busy=MASTER), d=node(4)), POLICY
    )
    assert found.prepare == ()


def test_it_is_committed_when_a_quorum_has_it_and_all_of_those_flip() -> None:
    nodes = {"a": node(4, 4, 5), "b": node(4, 4, 5), "c": node(4, busy=MASTER)}
    assert decide(known(4, 5, **nodes), POLICY).commit
    after = decide(known(5, 5, **nodes), POLICY)
    assert after.flip == (Flip("a", 5), Flip("b", 5))
    assert after.tell == (), "c is one behind, and may be"


def test_what_a_quorum_has_is_committed_though_newer_ones_come_all_the_time() -> None:
    nodes = {"a": node(4, 4, 5, busy=MASTER), "b": node(4, 4, 5, 6), "c": node(3)}
    between = [(6, digest(6)), (5, digest(5))]
    before = decide(replace(known(4, 7, **nodes), between=between), POLICY)
    assert (before.commit, before.tell) == (None, (Tell("c", "drain"),))
    nodes["c"] = replace(nodes["c"], told="drain", drained=2.5)
    assert decide(replace(known(4, 7, **nodes), between=between), POLICY).commit == (5, digest(5))
    nodes["a"] = node(4, 4, 5, 6)
    assert decide(replace(known(4, 7, **nodes), between=between), POLICY).commit == (6, digest(6))
    nodes["c"] = node(4, silent=3.0, told=None)
    found = decide(replace(known(4, 7, **nodes), between=between), POLICY)
    assert found.commit == (5, digest(5)), "for 6 it gets the time to drain itself; 5 leaves it fresh"


def test_who_would_be_too_old_is_drained_before() -> None:
    nodes = {"a": node(4, 4, 5), "b": node(4, 4, 5), "c": node(3)}
    before = decide(known(4, 5, **nodes), POLICY)
    assert (before.commit, before.tell) == (None, (Tell("c", "drain"),))
    nodes["c"] = replace(nodes["c"], told="drain", drained=2.4)
    assert decide(known(4, 5, **nodes), POLICY) == Decided(prepare=(Prepare("c", 5, ("a", "b", MASTER)),)), (
        "HAProxy may not have heard it yet"
    )
    nodes["c"] = replace(nodes["c"], drained=2.5)
    again = decide(known(4, 5, **nodes), POLICY)
    assert (again.commit, again.tell) == ((5, digest(5)), ())


def test_who_has_it_and_does_not_answer_will_not_flip() -> None:
    nodes = {"a": node(4, 4, 5), "b": node(4, 4, 5), "c": node(3, 3, 5)}
    assert decide(known(4, 5, **nodes), POLICY).commit == (5, digest(5))
    nodes["c"] = replace(nodes["c"], answers=False)
    found = decide(known(4, 5, **nodes), POLICY)
    assert found.commit is None


def test_nobody_is_drained_for_what_waits_for_another_one() -> None:
    nodes = {"a": node(4, 4, 5), "b": node(4, 4, 5), "c": node(3), "d": node(3, silent=3.0)}
    waits = decide(known(4, 5, **nodes), POLICY)
    assert (waits.commit, waits.tell) == (None, ())
    nodes["d"] = replace(nodes["d"], silent=30.0)
    assert decide(known(4, 5, **nodes), POLICY).tell == (Tell("c", "drain"),)


def test_who_is_not_heard_counts_for_no_quorum() -> None:
    """Those that are cut off together know that nothing is committed without them."""
    found = decide(known(4, 5, a=node(4, 4, 5), b=node(4, 4, 5, silent=60.0), c=node(4)), POLICY)
    assert found.commit is None


def test_who_is_to_serve_whatever_it_has_is_not_drained_before() -> None:
    nodes = {"a": node(4, 4, 5), "b": node(4, 4, 5), "c": node(3)}
    found = decide(known(4, 5, **nodes), replace(POLICY, floor=3))
    assert (found.commit, found.tell) == ((5, digest(5)), ())
    after = decide(known(5, 5, a=node(5), b=node(5), c=node(3)), replace(POLICY, floor=3))
    assert (after.tell, after.alarms) == (
        (),
        ("of 3 nodes that must serve 2 are fresh: c serve what is older",),
    )


def test_who_is_not_heard_gets_the_time_to_drain_itself() -> None:
    nodes = {"a": node(4, 4, 5), "b": node(4, 4, 5), "c": node(3, silent=3.0)}
    assert not decide(known(4, 5, **nodes), POLICY).commit
    nodes["c"] = replace(nodes["c"], silent=10.0)
    assert decide(known(4, 5, **nodes), POLICY).commit
    nodes["c"] = replace(nodes["c"], silent=None)
    assert decide(known(4, 5, **nodes), POLICY).commit
    for silent in (None, 30.0):
        nodes["c"] = replace(nodes["c"], silent=silent)
        assert not decide(replace(known(4, 5, **nodes), running=9.0), POLICY).commit, (
            "a keeper before this one may have told it to serve, and those that this one hears may not have known that it lives"
        )
        assert decide(replace(known(4, 5, **nodes), running=10.0), POLICY).commit


def test_without_a_quorum_an_alarm_is_raised() -> None:
    found = decide(known(4, 5, a=node(4, 4, 5), b=node(4, silent=60.0), c=node(4, silent=60.0)), POLICY)
    assert not found.commit
    assert found.alarms == ("5 cannot be committed: it needs 2 nodes, and nobody hears b, c",)


def test_where_all_are_stale_the_freshest_serve_and_an_alarm_is_raised() -> None:
    found = decide(
        known(9, 9, a=node(3, told="drain"), b=node(5, told="drain"), c=node(5, told="drain")), POLICY
    )
    assert found.tell == (Tell("b", "ready"), Tell("c", "ready"))
    assert found.alarms == ("of 1 nodes that must serve 0 are fresh: b, c serve what is older",)


def test_who_has_nothing_never_serves() -> None:
    found = decide(known(9, 9, a=Node(silent=0.0), b=Node(silent=0.0)), POLICY)
    assert found.tell == (Tell("a", "drain"), Tell("b", "drain"))


def test_one_that_caught_up_is_ready_again() -> None:
    assert decide(known(9, 9, a=node(9, told="drain"), b=node(9)), POLICY).tell == (Tell("a", "ready"),)


def test_the_same_content_under_an_older_serial_is_not_old() -> None:
    """A new master's first generation is what its nodes serve, 1000 serials on."""
    same = Node(4, {4: "same"}, 0.0, "ready")
    older = Node(3, {3: "other"}, 0.0, "ready")
    got = Node(4, {4: "same", 1004: "same"}, 0.0, "ready")
    found = decide(Known({"a": got, "b": got, "c": same}, (4, "same"), (1004, "same")), POLICY)
    assert (found.commit, found.tell) == ((1004, "same"), ())
    after = decide(Known({"a": got, "b": got, "c": same}, (1004, "same"), (1004, "same")), POLICY)
    assert after.tell == ()
    got = replace(got, silent=0.0)
    found = decide(Known({"a": got, "b": got, "c": older}, (4, "same"), (1004, "same")), POLICY)
    assert (found.commit, found.tell) == (None, (Tell("c", "drain"),))


def test_a_master_that_has_less_than_what_is_committed_takes_nobody_back() -> None:
    assert decide(known(9, 4, a=node(9, 4, 9), b=node(9, 9)), POLICY) == Decided()


def test_what_nodes_serve_was_committed_by_somebody() -> None:
    def found(*serving: int, committed: int | None, trusting: bool) -> tuple[int, str] | None:
        nodes = {str(number): node(serial) for number, serial in enumerate(serving)}
        had = None if committed is None else (committed, digest(committed))
        return inherited(Known(nodes, had, None), POLICY, trusting=trusting)

    assert found(7, 8, 7, committed=None, trusting=True) == (8, digest(8))
    assert found(7, 8, 7, committed=None, trusting=False) == (7, digest(7)), "a quorum is past it"
    assert found(7, 8, 7, committed=7, trusting=False) is None
    assert found(8, 8, 7, committed=7, trusting=False) == (8, digest(8))
    assert found(6, 6, 7, committed=7, trusting=True) is None
    assert found(committed=None, trusting=True) is None
    assert inherited(Known({"a": Node(silent=0.0)}, None, None), POLICY, trusting=True) is None


@dataclass
class Real:
    """A node as it is: what the keeper last heard of it may be older."""

    serving: int = 0
    has: set[int] = field(default_factory=set)
    verdict: Verdict = "drain"
    cut: bool = False
    mute: bool = False  # it hears, and is not heard: what it is told counts, and nobody knows
    kept_at: float = 0.0  # when the keeper last heard it
    polled: float = -100.0  # when its agent last said that it is ready
    drained_at: float | None = None  # as the keeper knows
    seen: Node = field(default_factory=Node)
    seen_at: float | None = None
    busy: str | None = None
    getting: int = 0


class Fleet(RuleBasedStateMachine):
    """A keeper and four nodes, and HAProxy, which may ask a node's agent as late as it ever does. Nodes that are cut off hear each other,
    and nobody else; what each of them says then is `verdict_of`, as late as may be.
    """

    policy = Policy(quorum=2, max_lag=1, floor=0, contact=5.0, fan_out=2)
    polls = 2.0  # seconds from what an agent says until HAProxy has heard it, at most
    asks = 2.0  # seconds until a node that the keeper hears no more has asked the others, at most

    @initialize()
    def begin(self) -> None:
        self.now = self.began = self.turned = 100.0
        self.nodes = {name: Real() for name in "abcd"}
        self.committed: int | None = None
        self.newest: int | None = None
        self.trusting = True
        self.ever: set[int] = set()  # committed, by any keeper
        self.some_get_the_next(frozenset(self.nodes))

    @rule(names=st.frozensets(st.sampled_from("abcd"), min_size=2))
    def some_get_the_next(self, names: frozenset[str]) -> None:
        """As it goes most of the time."""
        self.sync()
        for _ in range(4):
            self.turn()
            for name in sorted(names):
                self.got(name)
            self.wait(1.0)
        self.turn()

    @rule()
    def sync(self) -> None:
        heard = [each for real in self.nodes.values() for each in (real.seen.serving, *real.seen.has)]
        self.newest = serials.minted(self.newest or 0, serials.highest([*heard, self.committed or 0]))

    @rule(count=st.integers(5, 15))
    def some_turns(self, count: int) -> None:
        for _ in range(count):
            self.turn()
            self.wait(1.0)

    @rule(name=st.sampled_from("abcd"))
    def cut(self, name: str) -> None:
        self.nodes[name].cut = True

    @rule(name=st.sampled_from("abcd"))
    def silence(self, name: str) -> None:
        self.nodes[name].mute = True

    @rule(name=st.sampled_from("abcd"))
    def join(self, name: str) -> None:
        self.nodes[name].cut = self.nodes[name].mute = False

    @rule(name=st.sampled_from("abcd"))
    def got(self, name: str) -> None:
        real = self.nodes[name]
        if real.busy is not None:
            real.busy = None
            real.has = {*sorted(real.has)[-2:], real.getting}

    @rule(name=st.sampled_from("abcd"))
    def gave_up(self, name: str) -> None:
        self.nodes[name].busy = None

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 6.0]))
    def wait(self, seconds: float) -> None:
        for _ in range(round(2 * seconds)):
            self.now += 0.5
            self._poll()

    @rule()
    def keeper_dies(self) -> None:
        """What was committed is on its disk; what it heard is not."""
        self.began = self.now
        for real in self.nodes.values():
            real.seen_at = real.drained_at = None
            real.seen = Node()

    @rule()
    def disk_is_lost(self) -> None:
        self.keeper_dies()
        self.committed = self.newest = None
        self.trusting = True

    @rule()
    def turn(self) -> None:
        if self.now - self.turned > self.policy.pause:
            self.began = self.now
        self.turned = self.now
        for real in self.nodes.values():
            if not real.cut and not real.mute:
                real.kept_at = real.seen_at = self.now
                has = {each: digest(each) for each in real.has}
                real.seen = Node(real.serving, has, 0.0, real.verdict, real.busy)
                self._note(real)
            real.seen = replace(real.seen, answers=not (real.cut or real.mute))
        if (found := inherited(self._known(), self.policy, trusting=self.trusting)) is not None:
            assert found[0] in self.ever
            self.committed, self.trusting = found[0], True
        decided = decide(self._known(), self.policy)
        if decided.commit:
            serial = decided.commit[0]
            had = sum(serial in real.has or serial in real.seen.has for real in self.nodes.values())
            assert had >= self.policy.quorum
            self.committed, self.trusting = serial, False
            self.ever.add(serial)
            decided = decide(self._known(), self.policy)
        for flip in decided.flip:
            assert flip.serial == self.committed
            real = self.nodes[flip.node]
            if not real.cut and not (real.mute and flip.serial not in real.has):  # it went there meanwhile
                assert flip.serial in real.has
                real.serving = flip.serial
                if not real.mute:
                    real.seen = replace(real.seen, serving=flip.serial)
        if decided.flip:
            decided = decide(self._known(), self.policy)
        self._carry_out(decided)

    def _known(self) -> Known:
        nodes = {
            name: replace(
                real.seen,
                silent=None if real.seen_at is None else self.now - real.seen_at,
                drained=None if real.drained_at is None else self.now - real.drained_at,
            )
            for name, real in self.nodes.items()
        }
        both = [None if each is None else (each, digest(each)) for each in (self.committed, self.newest)]
        between = [
            (each, digest(each))
            for each in ((self.newest or 0) - 1, (self.newest or 0) - 2)
            if self.committed is not None and each > self.committed
        ]
        return Known(nodes, both[0], both[1], self.now - self.began, between=between)

    def _carry_out(self, decided: Decided) -> None:
        for order in decided.prepare:
            if not self.nodes[order.node].cut:
                self.nodes[order.node].busy = order.sources[0]
                self.nodes[order.node].getting = order.serial
        for tell in decided.tell:
            real = self.nodes[tell.node]
            if not real.cut:
                real.verdict = tell.verdict
            answered = not (real.cut or real.mute)
            real.seen = replace(real.seen, told=tell.verdict if answered else None)
            if answered or tell.verdict == "ready":
                self._note(real)
        self._poll()

    def _note(self, real: Real) -> None:
        """As the keeper does, when it is told, or tells."""
        if real.seen.told != "drain":
            real.drained_at = None
        elif real.drained_at is None:
            real.drained_at = self.now

    def _poll(self) -> None:
        for name, real in self.nodes.items():
            if self._says(name) == "ready":
                real.polled = self.now
            elif self.now - real.kept_at >= self.policy.contact + LAPSES:
                real.verdict = "drain"

    def _says(self, name: str) -> Verdict:
        real = self.nodes[name]
        others = [
            self.now - other.kept_at <= self.policy.contact if other.cut == real.cut else None
            for each, other in self.nodes.items()
            if each != name
        ]
        kept = self.now - real.kept_at <= self.policy.contact + self.asks
        return verdict_of(real.verdict, kept=kept, neighbours=others, quorum=self.policy.quorum)

    @invariant()
    def nobody_that_clients_are_sent_to_is_too_old(self) -> None:
        if getattr(self, "committed", None) is None:
            return
        for real in self.nodes.values():
            if self.now - real.polled < self.polls:
                assert self.committed is not None
                assert serials.behind(real.serving, self.committed) <= self.policy.max_lag

    @invariant()
    def nobody_serves_what_was_not_committed(self) -> None:
        for real in getattr(self, "nodes", {}).values():
            assert real.serving == 0 or real.serving in self.ever


Fleet.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestFleet = Fleet.TestCase
