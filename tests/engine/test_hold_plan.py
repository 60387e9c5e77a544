"""A hold as a plan: nothing where it is in force as wanted, and its end is what was wanted first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lbkit
from lbkit.base.clock import SystemClock
from lbkit.base.errors import Mistake
from lbkit.base.host import Host
from lbkit.engine.applying import PlanChanged
from lbkit.engine.hold_plan import WantedHold
from lbkit.engine.scope import Scope
from tests.haproxy.topologies import document, load

PATH = "shop/web/web-2"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class At(SystemClock):
    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def scope() -> Scope:
    return load(document())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run_dir=tmp_path, netns_dir=tmp_path, clock=At(NOON))


def later(host: Host, hours: float) -> Host:
    return replace(host, clock=At(NOON + timedelta(hours=hours)))


def planned(scope: Scope, host: Host, **more: object) -> list[str]:
    plan = lbkit.plan_hold(scope, WantedHold(PATH, **more), host)  # type: ignore[arg-type]
    return [str(change) for change in plan.changes]


def test_what_is_held_as_wanted_is_left_so(scope: Scope, host: Host) -> None:
    wanted = WantedHold(PATH, reason=" disk fails", lasting=7200, by="ada")
    promised = lbkit.plan_hold(scope, wanted, host)
    assert (promised.topology, [str(change) for change in promised.changes]) == (
        "web",
        [f"create hold {PATH}"],
    )
    assert lbkit.holds(scope, host) == []
    done, places = lbkit.apply_hold(scope, wanted, later(host, 0.1), promised=promised)
    assert done.as_data() == promised.as_data()
    assert [each.what for each in places] == ["lb-1: HAProxy does not run", "lb-2: HAProxy does not run"]
    (held,) = lbkit.holds(scope, host)
    assert (held.reason, held.until) == ("disk fails", "2030-01-01T14:06:00+00:00")

    assert planned(scope, later(host, 1), reason="disk fails", lasting=7200) == []
    assert lbkit.apply_hold(scope, wanted, later(host, 1))[0].changes == ()
    assert lbkit.holds(scope, host) == [held]
    until = datetime(2030, 1, 1, 14, 6, tzinfo=UTC)
    assert planned(scope, host, reason="disk fails", until=until) == []
    assert planned(scope, host, reason="disk fails", until=until + timedelta(hours=1)) == [
        f"update hold {PATH}"
    ]
    assert planned(scope, host, reason="disk fails") == [f"update hold {PATH}"]
    assert planned(scope, host, reason="other", lasting=7200) == [f"update hold {PATH}"]
    assert planned(scope, later(host, 3), reason="disk fails", lasting=7200) == [f"create hold {PATH}"]


def test_a_release_is_a_change_where_it_is_held(scope: Scope, host: Host) -> None:
    assert planned(scope, host, held=False) == []
    lbkit.apply_hold(scope, WantedHold(PATH, reason="disk fails"), host)
    assert planned(scope, host, reason="disk fails") == []
    promised = lbkit.plan_hold(scope, WantedHold(PATH, held=False), host)
    assert [str(change) for change in promised.changes] == [f"delete hold {PATH}"]
    lbkit.apply_hold(scope, WantedHold(PATH, held=False), host, promised=promised)
    assert lbkit.holds(scope, host) == []
    with pytest.raises(PlanChanged):
        lbkit.apply_hold(scope, WantedHold(PATH, held=False), host, promised=promised)


def test_what_cannot_be_held_is_a_mistake(scope: Scope, host: Host) -> None:
    with pytest.raises(Mistake, match="did you mean 'shop/web/web-2'"):
        lbkit.plan_hold(scope, WantedHold("shop/web/web-22", reason="x"), host)
    with pytest.raises(Mistake, match="did you mean"):
        lbkit.plan_hold(scope, WantedHold("shop/web/web-22", held=False), host)
    with pytest.raises(Mistake, match="a reason to hold"):
        lbkit.plan_hold(scope, WantedHold(PATH), host)
    with pytest.raises(Mistake, match="in the future"):
        lbkit.plan_hold(scope, WantedHold(PATH, reason="x", until=NOON), host)
