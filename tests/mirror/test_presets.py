"""A Debian archive by its preset: packages before indices, nothing of an archive that updates itself, no note of its scripts."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.clock import SystemClock
from lbkit.mirror.presets import PRESETS
from lbkit.mirror.sync.project import TRACE, Project
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import Folder
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.trees import Tree, found, lay

ARCHIVE: Tree = {
    b"README": b"r",
    b"dists/bookworm/InRelease": b"a 1",
    b"dists/bookworm/main/binary-amd64/Packages.xz": b"a",
    b"dists/bookworm/main/by-hash/SHA256/0": b"h",
    b"dists/stable": b"->bookworm",
    b"pool/main/a/a/a_1_amd64.deb": b"deb",
    b"project/trace/master": b"t",
    b"ls-lR.gz": b"l",
}


@pytest.fixture
def syncing(tmp_path: Path) -> Syncing:
    lay(tmp_path / "up", ARCHIVE)
    (tmp_path / "store").mkdir()
    preset = PRESETS["debian"]
    rsync = Rsync(Folder(str(tmp_path / "up").lstrip("/")), (f"/{TRACE}", *preset.exclude))
    project = Project("debian", rsync, preset.stages, markers=preset.markers)
    return Syncing(
        project, Store(tmp_path / "store", "debian"), Runs(tmp_path / "runs", SystemClock()), SystemClock()
    )


def tree(syncing: Syncing, serial: int) -> Tree:
    made = found(syncing.store.tree(serial))
    del made[TRACE.encode()]
    return made


def test_all_of_it_is_mirrored_but_what_is_upstreams_own(syncing: Syncing, tmp_path: Path) -> None:
    lay(
        tmp_path / "up",
        {b"Archive-Update-Required-host": b"", b"pool/.~tmp~/half": b"", b"dists/.tmp/x": b""},
    )
    assert syncing.sync("schedule").came == "made"
    made = tree(syncing, 1)
    made.pop(b"dists/.tmp/", None)
    assert made == ARCHIVE


def test_packages_come_before_the_indices_that_name_them(
    syncing: Syncing, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[bytes] = []
    monkeypatch.setattr(Syncing, "_tell", lambda _self, item: order.append(item.path))
    assert syncing.sync("schedule").came == "made"
    parts = [path.partition(b"/")[0] for path in order]
    first = {part: parts.index(part) for part in (b"pool", b"dists", b"README")}
    assert first[b"pool"] < first[b"dists"] < first[b"README"]
    assert max(index for index, part in enumerate(parts) if part == b"pool") < first[b"dists"]


def test_an_archive_that_updates_itself_is_left_alone(syncing: Syncing, tmp_path: Path) -> None:
    marker = tmp_path / "up" / "Archive-Update-in-Progress-mirror.example"
    marker.touch()
    assert syncing.sync("schedule").came == "partial"
    marker.unlink()
    assert syncing.sync("schedule").came == "made"


def test_an_index_that_is_as_long_and_as_old_is_seen(syncing: Syncing, tmp_path: Path) -> None:
    syncing.sync("schedule")
    shutil.rmtree(tmp_path / "up")
    lay(tmp_path / "up", {**ARCHIVE, b"dists/bookworm/InRelease": b"a 2"})
    assert syncing.sync("schedule").came == "made"
    assert tree(syncing, 2)[b"dists/bookworm/InRelease"] == b"a 2"


def test_an_upstream_that_refuses_checksums_is_mirrored_by_size_and_time(
    syncing: Syncing, tmp_path: Path
) -> None:
    program = tmp_path / "rsync"
    program.write_text(
        "#!/bin/sh\n"
        'case " $* " in *" --checksum "*)\n'
        '  echo "rsync: The server is configured to refuse --checksum (-c)" >&2; exit 10;;\n'
        'esac\nexec rsync "$@"\n'
    )
    program.chmod(0o755)
    fetcher = syncing.project.fetcher
    assert isinstance(fetcher, Rsync)
    syncing.project = replace(syncing.project, fetcher=replace(fetcher, program=str(program)))
    syncing.sync("schedule")
    os.utime(tmp_path / "up" / "dists" / "bookworm" / "InRelease")
    run = syncing.sync("schedule")
    assert (run.came, run.changed) == ("made", 1)
    assert {each.code for each in run.tries} == {0, 10}
    assert "refuse --checksum" in run.tries[0].words
