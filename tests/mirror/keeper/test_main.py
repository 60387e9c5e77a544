"""What the keeper's configuration says is what it does."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Mistake
from lbkit.mirror.keeper.cron import Cron
from lbkit.mirror.keeper.main import _project, _schedule, _until
from lbkit.mirror.keeper.schedule import Schedule, Window
from lbkit.mirror.presets import PRESETS
from lbkit.mirror.sync.https.fetcher import Https
from lbkit.mirror.sync.project import Stage
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.upstream import Folder, Web
from lbkit.mirror.tree.store import Store
from tests.clocks import HandClock

DATA: dict[str, Any] = {
    "project": "debian",
    "keep": 3,
    "upstream": {"kind": "folder", "path": "srv/debian"},
    "exclude": ["/x"],
    "markers": ["m"],
    "stages": [],
    "guard": {"delete": 0.5},
    "bandwidth": 1000,
    "silence": 7.0,
}


def test_an_upstream_of_the_web_is_a_queue_beside_the_generations(tmp_path: Path) -> None:
    upstream = {"kind": "https", "url": "https://host/pub/", "digests": "SHA256SUMS"}
    store = Store(tmp_path, "debian")
    project = _project({**DATA, "upstream": upstream, "connections": 9}, store, SystemClock())
    assert isinstance(project.fetcher, Https)
    https = project.fetcher
    assert https.upstream == Web("https://host/pub/", "SHA256SUMS")
    assert (https.bandwidth, https.connections, https.silence) == (1000, 9, 7.0)
    assert https.exclude == ("/.lbkit-trace", "/x")
    assert https.partial.parent == tmp_path
    https.partial.mkdir()
    (https.partial / "some").touch()
    store.tidy()
    assert (https.partial / "some").exists(), "it outlives a keeper that was killed"


def test_any_other_is_rsyncs(tmp_path: Path) -> None:
    project = _project(DATA, Store(tmp_path, "debian"), SystemClock())
    assert isinstance(project.fetcher, Rsync)
    assert project.fetcher.upstream == Folder("srv/debian")
    assert project.stages == (Stage(),)
    with pytest.raises(Mistake):
        _project({**DATA, "upstream": {"kind": "ftp"}}, Store(tmp_path, "debian"), SystemClock())


def test_every_so_often_or_at_times() -> None:
    data: dict[str, Any] = {"every": 3600, "window": None, "jitter": 60, "zone": "UTC"}
    assert _schedule(data) == Schedule(timedelta(hours=1), None, timedelta(minutes=1), ZoneInfo("UTC"))
    data = {"cron": "0 3 * * *", "window": ["01:00", "07:00"], "jitter": 0, "zone": "Europe/Berlin"}
    assert _schedule(data) == Schedule(
        Cron.parse("0 3 * * *"), Window(time(1), time(7)), timedelta(0), ZoneInfo("Europe/Berlin")
    )
    assert _schedule(None) is None


@pytest.mark.parametrize(
    ("cause", "hour", "until"),
    [("schedule", 2, 7), ("retry", 6, 7), ("schedule", 8, None), ("push", 2, None), ("person", 2, None)],
)
def test_what_nobody_asked_for_ends_with_the_window(cause: str, hour: int, until: int | None) -> None:
    clock = HandClock()
    clock.seconds = 3600.0 * hour
    schedule = Schedule(timedelta(hours=1), Window(time(1), time(7)))
    wanted = None if until is None else datetime(2030, 1, 31, until, tzinfo=UTC)
    assert _until(cause, schedule, clock) == wanted
    assert _until(cause, None, clock) is None


def test_presets_are_what_a_project_takes() -> None:
    for preset in PRESETS.values():
        assert all(isinstance(stage, Stage) for stage in preset.stages)
        assert all(pattern and not pattern.startswith(("+ ", "- ", "!")) for pattern in preset.exclude)
        assert any(not stage.folder for stage in preset.stages), "nothing is left out"
