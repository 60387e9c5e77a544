"""The main job as a library: the whole example on a host of its own, on good days and on bad ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit import operate
from lbkit.base import syscalls
from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.base.lock import Locked
from lbkit.engine.applying import ApplyFailed, Event, NotAsDeclared, PlanChanged
from lbkit.engine.diff import ForeignObject
from lbkit.engine.journal import read_journal
from lbkit.engine.resource import Key
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from tests.machine.world import kill

from .example import copied

pytestmark = pytest.mark.sandbox
VIP = "http://10.80.0.10/"


@pytest.fixture
def scope(tmp_path: Path, topology_name: str) -> Scope:
    return lbkit.load(copied(tmp_path, topology_name))


@pytest.fixture
def standing(scope: Scope, host: Host):
    """The example, applied; gone again after the test."""
    lbkit.apply(scope, host)
    yield scope
    lbkit.destroy(scope, host)
    assert left_of(host) == ([], [], [])


def left_of(host: Host) -> tuple[list[str], list[str], list[int]]:
    """Files, namespaces, and processes with lbkit's mark."""
    files = [str(path) for path in host.run_dir.rglob("*")] if host.run_dir.exists() else []
    return files, sorted(os.listdir(host.netns_dir)), sorted(pids(host).values())


def pids(host: Host) -> dict[str, int]:
    """The leading process of each service of this host ("web-1/app"), by the mark in its environment."""
    ours = str(host.run_dir).encode()
    found: dict[str, int] = {}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            if not os.readlink(folder / "cwd").encode().startswith(ours):
                continue
        except OSError:
            continue
        for variable in environment:
            if variable.startswith(b"LBKIT_SERVICE="):
                found.setdefault(variable.decode().partition("/")[2], int(folder.name))
    return found


_audited: list[list[str]] = []


def _audit(event: str, _arguments: object) -> None:
    if event in {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}:
        for events in _audited:
            events.append(event)


sys.addaudithook(_audit)  # one for good: the interpreter lets none go


@contextmanager
def started() -> Iterator[list[str]]:
    """Every process that this one begins during the block, however soon it ends."""
    events: list[str] = []
    _audited.append(events)
    try:
        yield events
    finally:
        _audited.remove(events)


def fetch(count: int) -> Counter[str]:
    return Counter(urllib.request.urlopen(VIP, timeout=3).read().decode().split()[-1] for _ in range(count))


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(512)):
            pass


def lines_of(links: Path = Path("/proc/net/dev")) -> list[str]:
    return sorted(line.split(":")[0].strip() for line in links.read_text().splitlines()[2:])


def test_one_file_brings_it_up_real_traffic_flows_and_nothing_is_left(scope: Scope, host: Host) -> None:
    links = lines_of()
    plan = lbkit.plan(scope, host)
    assert plan.summary() == {"create": 17}
    assert left_of(host) == ([], [], []), "a plan changes nothing"
    result = lbkit.apply(scope, host, promised=plan)
    assert result.done == plan.changes
    assert set(fetch(12)) == {"web-1", "web-2", "web-3"}
    rows = lbkit.status(scope, host)
    assert all(row.present and row.health is Health.UP for row in rows), rows
    executed = [r for r in read_journal(host.folder(scope.name) / "journal.jsonl") if r["event"] == "done"]
    assert [(r["kind"], r["name"], r["action"]) for r in executed] == [
        (c.key.kind, c.key.name, str(c.action)) for c in plan.changes
    ]
    lbkit.destroy(scope, host)
    assert left_of(host) == ([], [], [])
    assert lines_of() == links
    assert not lbkit.plan(scope, host, absent=True)


def test_a_part_is_applied_with_what_it_needs_and_is_no_agreement_to_the_rest(
    scope: Scope, host: Host
) -> None:
    whole, wanted = lbkit.plan(scope, host), ["service/web-2/*"]
    part = lbkit.plan(scope, host, only=wanted)
    assert {str(change.key) for change in part.changes} == {
        "network back", "machine web-2", "service web-2/app"
    }  # fmt: skip
    result = lbkit.apply(scope, host, only=wanted, promised=part)
    assert result.done == part.changes
    assert sorted(pids(host)) == ["web-2/app"]
    assert operate.agreed(scope.name, host) is None
    assert not lbkit.plan(scope, host, only=wanted)
    rest = {change.key for change in lbkit.plan(scope, host).changes}
    assert rest == {change.key for change in whole.changes} - {change.key for change in part.changes}
    with pytest.raises(LbkitError, match="was to name a part of"):
        lbkit.apply(scope, host, only=["service/web-9/*"])
    lbkit.apply(scope, host)
    assert not lbkit.plan(scope, host)
    lbkit.destroy(scope, host)
    assert left_of(host) == ([], [], [])


def test_a_second_apply_changes_nothing_and_starts_no_process(standing: Scope, host: Host) -> None:
    before = pids(host)
    assert len(before) == 8, before
    with started() as processes:
        assert not lbkit.plan(standing, host)
        result = lbkit.apply(standing, host)
    assert (result.done, result.not_done) == ((), ())
    assert pids(host) == before
    assert processes == [], "not even one that ends at once"
    kill(before["web-2/app"])
    with started() as processes:
        lbkit.apply(standing, host)
    assert processes, "where there is something to do it would have been seen"


def test_a_killed_web_server_is_drift_traffic_goes_on_and_only_it_is_started_again(
    standing: Scope, host: Host
) -> None:
    before = pids(host)
    kill(before["web-2/app"])
    assert sum(fetch(30).values()) == 30, "no request fails: HAProxy tries another server"
    (change,) = lbkit.plan(standing, host).changes
    assert (change.key, str(change.action)) == (Key("service", "web-2/app"), "restart")
    lbkit.apply(standing, host)
    after = pids(host)
    assert {name for name in before if before[name] != after[name]} == {"web-2/app"}
    assert not lbkit.plan(standing, host)


def test_growing_the_group_touches_no_standing_machine(standing: Scope, host: Host) -> None:
    file = Path(standing.file)
    file.write_text(file.read_text().replace("count: 3", "count: 5"))
    before, grown = pids(host), lbkit.load(file)
    plan = lbkit.plan(grown, host)
    assert plan.summary() == {"create": 4, "update": 2}
    assert {str(c.impact) for c in plan.changes if str(c.action) == "update"} == {"hitless"}
    lbkit.apply(grown, host)
    assert {name: pid for name, pid in pids(host).items() if name in before} == before
    file.write_text(file.read_text().replace("count: 5", "count: 3"))
    plan = lbkit.plan(lbkit.load(file), host)
    assert plan.summary() == {"update": 2, "delete": 4}
    waves = {str(c.key): c.wave for c in plan.changes}
    assert waves["haproxy lb-1/shop"] < waves["machine web-4"], "first out of rotation, then gone"
    lbkit.apply(lbkit.load(file), host)
    assert pids(host) == before


def test_of_two_applies_at_once_one_waits(scope: Scope, host: Host) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_event: Event) -> None:
        begun.set()
        go_on.wait(20)

    first: list[Any] = []
    thread = threading.Thread(target=lambda: first.append(lbkit.apply(scope, host, watch=hold)))
    thread.start()
    begun.wait(20)
    with pytest.raises(Locked, match=f"pid {os.getpid()}"):
        lbkit.apply(scope, host)
    threading.Timer(0.3, go_on.set).start()
    second = lbkit.apply(scope, host, lock_timeout=60)
    thread.join()
    assert len(first[0].done) == 17
    assert second.done == ()
    lbkit.destroy(scope, host)


def test_a_plan_that_is_no_longer_true_is_not_carried_out(standing: Scope, host: Host) -> None:
    promised = lbkit.plan(standing, host)
    kill(pids(host)["web-1/app"])
    with pytest.raises(PlanChanged, match="restart service web-1/app"):
        lbkit.apply(standing, host, promised=promised)
    assert "web-1/app" not in pids(host)


def test_foreign_things_are_named_all_at_once_and_stay_untouched(scope: Scope, host: Host) -> None:
    def run(*argv: str) -> str:
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    run("ip", "link", "add", f"{scope.name}.front", "type", "bridge")
    run("ip", "netns", "add", f"{scope.name}.lb-1")
    before = (
        run("ip", "-d", "link", "show", f"{scope.name}.front"),
        os.stat(host.netns_dir / f"{scope.name}.lb-1").st_ino,
    )
    with pytest.raises(ForeignObject) as caught:
        lbkit.apply(scope, host)
    assert caught.value.keys == (Key("machine", "lb-1"), Key("network", "front"))
    assert caught.value.exit_code == 1
    with pytest.raises(ForeignObject):
        lbkit.plan(scope, host)
    lbkit.destroy(scope, host)
    assert before == (
        run("ip", "-d", "link", "show", f"{scope.name}.front"),
        os.stat(host.netns_dir / f"{scope.name}.lb-1").st_ino,
    )
    run("ip", "netns", "del", f"{scope.name}.lb-1")
    run("ip", "link", "del", f"{scope.name}.front")


def test_a_foreign_record_with_the_wanted_value_is_named_and_untouched(standing: Scope, host: Host) -> None:
    """By a topology that publishes the same value in the same zone under another name."""
    other = Path(standing.file).with_name("other.yml")
    key = standing.folder / "tsig.key"
    other.write_text(
        f"""
lbkit: 1
name: other
dns:
  zones:
    example.test:
      servers: [10.80.0.53]
      tsig: {{name: lbkit, secret: {{file: {key.name}}}}}
      records: [{{name: shop, type: A, value: 10.80.0.10}}]
"""
    )
    rival = lbkit.load(other)
    with pytest.raises(ForeignObject, match=r"rrset example\.test shop A") as caught:
        lbkit.apply(rival, host)
    assert standing.name in caught.value.found
    lbkit.destroy(rival, host)
    assert not lbkit.plan(standing, host)


def test_a_wrong_key_fails_in_words_and_the_next_apply_goes_on(scope: Scope, host: Host) -> None:
    key = scope.folder / "tsig.key"
    right = key.read_bytes()
    named = scope.folder / "ns" / "named.conf"
    key.write_bytes(right.replace(right.split(b'secret "')[1][:8], b"AAAAAAAA"))
    wrong = lbkit.load(scope.file)
    key.write_bytes(right)
    other = scope.folder / "named.key"
    other.write_bytes(right)
    other.chmod(0o600)
    file = Path(scope.file)
    file.write_text(file.read_text().replace("{source: tsig.key,", "{source: named.key,"))
    key.write_bytes(right.replace(right.split(b'secret "')[1][:8], b"AAAAAAAA"))
    assert named.exists()
    wrong = lbkit.load(file)
    with pytest.raises(ApplyFailed, match=r"TSIG|key") as caught:
        lbkit.apply(wrong, host)
    assert [str(change.key) for change in caught.value.result.not_done] == ["rrset example.test shop A"]
    assert right.split(b'secret "')[1][:20].decode() not in str(caught.value)
    key.write_bytes(right)
    assert [str(c.key) for c in lbkit.apply(lbkit.load(file), host).done] == ["rrset example.test shop A"]
    lbkit.destroy(lbkit.load(file), host)
    assert left_of(host) == ([], [], [])


def test_a_full_disk_stops_it_with_the_file_and_nothing_half_written(scope: Scope, host: Host) -> None:
    host.run_dir.mkdir(parents=True)
    syscalls.mount("tmpfs", str(host.run_dir), "tmpfs", 0, "size=24k")
    try:
        with pytest.raises(LbkitError, match="No space left"):
            lbkit.apply(scope, host)
        fill(host.run_dir / "filler")
        lbkit.destroy(scope, host)  # which is how to make room
        (host.run_dir / "filler").unlink()
        assert left_of(host) == ([], [], [])
        syscalls.mount(
            "none", str(host.run_dir), "none", 0x20, "size=16m"
        )  # MS_REMOUNT: somebody freed space
        lbkit.apply(scope, host)
        assert not lbkit.plan(scope, host)
        lbkit.destroy(scope, host)
        assert left_of(host) == ([], [], [])
    finally:
        syscalls.unmount(str(host.run_dir))


def test_a_port_in_use_is_said_with_haproxys_words(scope: Scope, host: Host) -> None:
    file = Path(scope.file)
    file.write_text(
        file.read_text().replace(
            "lb: {count: 2, driver: netns, networks: [front, back]}",
            "lb: {count: 2, networks: [front, back], run: [{name: squatter, "
            "command: [/usr/bin/python3, -m, http.server, 80], ready: {port: 80}}]}",
        )
    )
    taken = lbkit.load(file)
    with pytest.raises(ApplyFailed) as caught:
        lbkit.apply(taken, host)
    assert "haproxy lb-1/shop" in caught.value.wanted
    assert "80" in caught.value.found
    lbkit.destroy(taken, host)
    assert left_of(host) == ([], [], [])


def test_a_missing_program_names_itself_and_the_rest_waits(scope: Scope, host: Host) -> None:
    file = Path(scope.file)
    file.write_text(file.read_text().replace("[named, -g,", "[namedd, -g,"))
    broken = lbkit.load(file)
    with pytest.raises(ApplyFailed, match="namedd") as caught:
        lbkit.apply(broken, host)
    assert "haproxy lb-1/shop" in {str(change.key) for change in caught.value.result.not_done}
    lbkit.destroy(broken, host)
    assert left_of(host) == ([], [], [])


def test_an_apply_that_undoes_what_stood_says_so_and_the_next_one_ends_it(
    standing: Scope, host: Host
) -> None:
    """named runs on while its folder is lost: its zone is as declared, until the apply starts it anew."""
    shutil.rmtree(host.folder(standing.name) / "machines" / "ns")
    with pytest.raises(NotAsDeclared, match=r"create rrset example\.test shop A") as caught:
        lbkit.apply(standing, host)
    assert caught.value.exit_code == 1
    assert [str(change) for change in lbkit.apply(standing, host).done] == [
        "create rrset example.test shop A"
    ]
    assert not lbkit.plan(standing, host)


def test_a_namespace_deleted_by_hand_comes_back_with_its_services(standing: Scope, host: Host) -> None:
    subprocess.run(["ip", "netns", "del", f"{standing.name}.web-1"], check=True)
    assert {str(c.key) for c in lbkit.plan(standing, host).changes} >= {"machine web-1", "service web-1/app"}
    lbkit.apply(standing, host)
    assert not lbkit.plan(standing, host)
    assert all(row.health is Health.UP for row in lbkit.status(standing, host) if row.key.kind == "machine")


def test_an_ordinary_user_without_a_sandbox_is_told_what_to_do(scope: Scope, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(
        folder, os.W_OK
    ):  # as root everything is open: a file where the folder should be says no as well
        folder.rmdir()
        folder.write_text("")
    with pytest.raises(LbkitError) as caught:
        lbkit.apply(scope, Host(run_dir=folder / "lbkit"))
    assert str(folder) in str(caught.value)
