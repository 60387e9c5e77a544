"""Machines of a topology, stopped, started, restarted and replaced by a person; others are left as they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import lbkit
from lbkit import operate
from lbkit.base.errors import Failure, Mistake
from lbkit.base.host import Host
from lbkit.engine.change import Action, Impact
from lbkit.engine.journal import read_journal
from lbkit.engine.scope import Scope
from lbkit.machines import Wanted, apply_machine, members_of, plan_machine
from lbkit.network import links
from tests.machine.world import pids

pytestmark = pytest.mark.sandbox

DEAF = "trap '' TERM; while :; do sleep 1000 & wait; done"


@pytest.fixture
def scope(tmp_path: Path, topology_name: str, host: Host) -> Iterator[Scope]:
    """Two machines that are alike, and one whose program does not end when it is told to."""
    app = {"name": "app", "command": ["sleep", "1000"]}
    deaf = {"name": "deaf", "command": ["sh", "-c", DEAF], "stop_timeout": "2s"}
    document = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {
            "web": {"count": 2, "networks": ["front"], "run": [app]},
            "old": {"networks": ["front"], "run": [deaf]},
        },
    }
    made = lbkit.load_data(document, tmp_path)
    lbkit.apply(made, host)
    yield made
    apply_machine(made, Wanted("old", "stopped", at_once=True), host)  # it would take its time
    lbkit.destroy(made, host)


def words(scope: Scope, host: Host) -> list[str]:
    return [str(change) for change in operate.plan(scope, host).changes]


def test_a_machine_is_stopped_and_started(scope: Scope, host: Host) -> None:
    before = pids(scope.name)
    stopped = Wanted("web-1", "stopped")
    planned = plan_machine(scope, stopped, host)
    assert pids(scope.name) == before
    assert [str(change) for change in planned.changes] == ["update machine web-1"]
    assert planned.impact is Impact.HITLESS
    assert "the next apply of the topology starts it again" in planned.notes[0]
    with pytest.raises(Failure, match="agreed to"):
        apply_machine(scope, Wanted("web-2", "stopped"), host, promised=planned)

    assert apply_machine(scope, stopped, host, promised=planned).plan.changes == planned.changes
    after = pids(scope.name)
    assert after == {name: its for name, its in before.items() if name != "web-1/app"}
    assert f"{scope.name}.web-1" not in os.listdir(host.netns_dir)
    assert not apply_machine(scope, stopped, host).plan
    assert not plan_machine(scope, Wanted("web-1", "stopped", at_once=True), host)
    assert words(scope, host) == ["update machine web-1", "update service web-1/app"]
    journal = [
        (line["event"], line.get("name")) for line in read_journal(host.folder(scope.name) / "journal.jsonl")
    ]
    assert journal[-1] == ("end", None)
    assert ("done", "web-1") in journal[-6:]

    # one of a group that has no other left is another matter
    assert plan_machine(scope, Wanted("web", "stopped"), host).impact is Impact.DISRUPTIVE

    started = plan_machine(scope, Wanted("web-1"), host)
    assert apply_machine(scope, Wanted("web-1"), host).plan.changes == started.changes
    assert not operate.plan(scope, host)
    assert not plan_machine(scope, Wanted("web"), host)
    again = pids(scope.name)
    assert {**again, "web-1/app": before["web-1/app"]} == before


def test_what_does_not_end_is_killed_at_its_deadline(scope: Scope, host: Host) -> None:
    done = apply_machine(scope, Wanted("old", "stopped", within=1.0), host)
    assert "machine old: deaf did not finish within 1 s: killed" in done.notes
    assert "old/deaf" not in pids(scope.name)


def test_a_power_cut_asks_nobody(scope: Scope, host: Host) -> None:
    cut = plan_machine(scope, Wanted("old", "stopped", at_once=True), host)
    assert cut.impact is Impact.DISRUPTIVE
    assert apply_machine(scope, Wanted("old", "stopped", at_once=True), host).plan == cut
    assert "old/deaf" not in pids(scope.name)
    assert words(scope, host) == ["update machine old", "restart service old/deaf"]


def test_a_restart_is_done_each_time_and_keeps_files(scope: Scope, host: Host) -> None:
    kept = host.folder(scope.name) / "machines" / "web-1" / "app" / "kept"
    kept.write_text("kept")
    before = pids(scope.name)
    restart = Wanted("web-1", "restarted")
    planned = plan_machine(scope, restart, host)
    assert [str(change) for change in planned.changes] == [
        "restart machine web-1",
        "restart service web-1/app",
    ]
    for _ in range(2):
        assert apply_machine(scope, restart, host).plan.changes == planned.changes
    assert not operate.plan(scope, host)
    assert kept.read_text() == "kept"
    after = pids(scope.name)
    assert after["web-1/app"] != before["web-1/app"]
    assert {**after, "web-1/app": before["web-1/app"]} == before

    # one that is stopped is started
    apply_machine(scope, Wanted("web-1", "stopped"), host)
    assert apply_machine(scope, restart, host).plan.changes[0].action is Action.UPDATE
    assert not operate.plan(scope, host)


def test_one_that_is_replaced_is_new(scope: Scope, host: Host) -> None:
    folder = host.folder(scope.name) / "machines" / "web-1" / "app"
    (folder / "left").write_text("left")
    before = pids(scope.name)
    planned = operate.plan(scope, host, anew=["machine/web-1"])
    assert [str(change) for change in planned.changes] == [
        "replace machine web-1",
        "create service web-1/app",
    ]
    assert planned.impact is Impact.HITLESS
    assert plan_machine(scope, Wanted("web-1", "replaced"), host).changes == planned.changes
    assert apply_machine(scope, Wanted("web-1", "replaced"), host).plan.changes == planned.changes
    assert not operate.plan(scope, host)
    assert not (folder / "left").exists()
    after = pids(scope.name)
    assert {**after, "web-1/app": before["web-1/app"]} == before
    assert after["web-1/app"] != before["web-1/app"]
    assert operate.plan(scope, host, anew=["machine/web"]).impact is Impact.DISRUPTIVE
    with pytest.raises(Mistake, match="only machines"):
        operate.plan(scope, host, anew=["network/front"])


def test_what_a_killed_stop_left_half_done_the_next_one_ends(scope: Scope, host: Host) -> None:
    """It was cut off its networks, and what runs in it hears nothing."""
    links.unplug(host, scope.name, [f"{scope.name}.old"])
    pid = pids(scope.name)["old/deaf"][0]
    os.kill(pid, signal.SIGSTOP)
    apply_machine(scope, Wanted("old", "stopped", within=0.2), host)
    assert "old/deaf" not in pids(scope.name)


def test_what_is_not_declared_cannot_be_stopped(scope: Scope, host: Host) -> None:
    with pytest.raises(Mistake, match="web-3") as refused:
        plan_machine(scope, Wanted("web-3", "stopped"), host)
    assert "web-" in refused.value.remedy
    assert members_of(scope, "web") == ("web-1", "web-2")
    with pytest.raises(Mistake, match="at_once"):
        Wanted("web-1", "replaced", at_once=True)


def test_absent_removes_one_and_leaves_the_others(scope: Scope, host: Host) -> None:
    before = pids(scope.name)
    planned = plan_machine(scope, Wanted("old", "absent"), host)
    assert apply_machine(scope, Wanted("old", "absent"), host).plan.changes == planned.changes
    assert pids(scope.name) == {name: its for name, its in before.items() if name != "old/deaf"}
    assert not plan_machine(scope, Wanted("old", "absent"), host)
