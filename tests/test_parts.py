"""Parts of a topology by the names of the language: what is named goes, or comes, and nothing beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lbkit
from lbkit import operate
from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.engine.plan import Plan
from lbkit.engine.removing import StillNeeded
from lbkit.engine.scope import Scope

from .example import copied
from .test_operate import left_of, pids

pytestmark = pytest.mark.sandbox


@pytest.fixture
def scope(tmp_path: Path, topology_name: str) -> Scope:
    return lbkit.load(copied(tmp_path, topology_name))


def changes(plan: Plan) -> set[str]:
    return {str(change) for change in plan.changes}


def test_parts_go_one_after_the_other_until_nothing_is_left(scope: Scope, host: Host) -> None:
    lbkit.apply(scope, host)
    agreed = operate.agreed(scope.name, host)
    assert agreed is not None
    before = pids(host)
    with pytest.raises(StillNeeded) as caught:
        lbkit.plan(scope, host, absent=True, only=["network/back"])
    assert set(caught.value.as_data()["needed"]) == {
        f"machine {name}" for name in ("lb-1", "lb-2", "web-1", "web-2", "web-3")
    }
    for only in (["load_balancer/shop"], ["machine/web", "network/front"], ["machine/ns"]):
        with pytest.raises(StillNeeded):
            lbkit.apply(scope, host, absent=True, only=only)
    assert not lbkit.plan(scope, host), "a refusal touched something"
    assert pids(host) == before

    one = lbkit.plan(scope, host, absent=True, only=["machine/web-1"])
    assert changes(one) == {"delete machine web-1", "delete service web-1/app"}
    assert one.notes == tuple(
        f"haproxy lb-{n}/shop stays, and goes on without machine web-1, service web-1/app" for n in (1, 2)
    )
    assert lbkit.apply(scope, host, absent=True, only=["machine/web-1"], promised=one).done == one.changes
    assert not lbkit.plan(scope, host, absent=True, only=["machine/web-1"])
    assert set(before) - set(pids(host)) == {"web-1/app"}
    assert operate.agreed(scope.name, host) == agreed, "a part that goes is no agreement, and takes none back"
    again = lbkit.apply(scope, host, only=["machine/web-1"])
    assert changes(again.plan) == {"create machine web-1", "create service web-1/app"}
    assert not lbkit.plan(scope, host)

    balancer = lbkit.destroy(scope, host, only=["zone/example.test", "load_balancer/shop"])
    assert {change.key.kind for change in balancer.plan.changes} == {"rrset", "haproxy", "vip"}
    for only in (["machine/web", "machine/lb"], ["network/back"], ["machine"], ["network"]):
        assert host.folder(scope.name).exists()
        assert lbkit.destroy(scope, host, only=only).plan
        assert not lbkit.plan(scope, host, absent=True, only=only)
    assert left_of(host) == ([], [], [])
    assert not lbkit.destroy(scope, host, only=["network/front"]).plan


def test_a_name_of_nothing_is_gone_and_a_word_for_nothing_is_a_mistake(scope: Scope, host: Host) -> None:
    assert not lbkit.plan(scope, host, absent=True, only=["network/frnt", "mirror/debian"])
    with pytest.raises(Mistake, match="'netwrok/front' was to name a part"):
        lbkit.plan(scope, host, absent=True, only=["netwrok/front"])


def test_killed_at_any_change_the_next_removal_converges(scope: Scope, host: Host) -> None:
    only = ["zone", "load_balancer/shop", "machine/lb"]
    program = Path(__file__).parent / "crash" / "killed_apply.py"
    codes = []
    lbkit.apply(scope, host)
    stays = {name: pid for name, pid in pids(host).items() if not name.startswith("lb-")}
    for number in (0, 3, 6, 9):
        command = [sys.executable, program, scope.file, "destroy", str(number), str(host.run_dir), *only]
        codes.append(subprocess.run(command, check=False).returncode)
        lbkit.destroy(scope, host, only=only)
        assert not lbkit.plan(scope, host, absent=True, only=only)
        assert pids(host) == stays, "what was not named"
        lbkit.apply(scope, host)
        assert not lbkit.plan(scope, host)
    assert codes == [-signal.SIGKILL] * 4
    lbkit.destroy(scope, host)
    assert left_of(host) == ([], [], [])
