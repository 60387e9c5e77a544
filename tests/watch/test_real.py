"""`lbkit watch` on the whole example: what breaks at night is back, and what is a person's business stays theirs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from time import monotonic
from typing import Any

import pytest

import lbkit
from lbkit.base.host import Host
from lbkit.engine.journal import read_journal
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from tests.example import copied
from tests.machine.world import kill as end

pytestmark = pytest.mark.sandbox
VIP = "http://10.80.0.10/"
PATIENCE = 90.0  # seconds: a bound, nothing that is asserted
SIGNALLED = Path(__file__).with_name("signalled_watch.py")


@pytest.fixture
def standing(tmp_path: Path, topology_name: str, host: Host) -> Iterator[Scope]:
    scope = lbkit.load(copied(tmp_path, topology_name))
    lbkit.apply(scope, host)
    yield scope
    lbkit.destroy(scope, host)
    assert not [str(path) for path in host.run_dir.rglob("*")]


class Watching:
    """An `lbkit watch` that runs, and what it said."""

    def __init__(self, scope: Scope, host: Host, *words: str) -> None:
        self.process = subprocess.Popen(
            command(scope, host, "--interval", "1s", *words), stdout=subprocess.PIPE, text=True
        )
        self._lines: Queue[dict[str, Any]] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.until("watching")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def until(self, event: str) -> dict[str, Any]:
        """The next line of that event; those before it are passed over."""
        seen = []
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except Empty:
                pytest.fail(f"no {event!r} was said, but {seen}")
            seen.append(line)
            if line["event"] == event:
                return line

    def rest(self) -> list[str]:
        """The events that were said since."""
        return [self._lines.get()["event"] for _ in range(self._lines.qsize())]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def watching(standing: Scope, host: Host) -> Iterator[Callable[..., Watching]]:
    begun: list[Watching] = []

    def start(*words: str) -> Watching:
        begun.append(Watching(standing, host, *words))
        return begun[-1]

    yield start
    for each in begun:
        each.end()


def command(scope: Scope, host: Host, *words: str) -> list[str]:
    program = [sys.executable, "-m", "lbkit", "watch", "--json", "--run-dir", str(host.run_dir)]
    return [*program, *words, scope.file]


def once(scope: Scope, host: Host, *words: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        command(scope, host, "--once", *words), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert not done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def pids(scope: Scope, host: Host) -> dict[str, int]:
    """The process of each service ("web-1/app"), as its record says."""
    folder = host.folder(scope.name) / "machines"
    return {
        f"{path.parent.name}/{path.name.removesuffix('.process.json')}": json.loads(path.read_text())["pid"]
        for path in folder.glob("*/*.process.json")
    }


def kill(scope: Scope, host: Host, *services: str) -> None:
    known = pids(scope, host)
    for service in services:
        end(known[service])


def forget_namespace(scope: Scope, *machines: str) -> None:
    for machine in machines:
        subprocess.run(["ip", "netns", "del", f"{scope.name}.{machine}"], check=True)


def serves(scope: Scope, host: Host, *servers: str) -> bool:
    """All is as declared, the zone too, and `servers` answer at the virtual address, once their checks passed."""
    assert not lbkit.plan(scope, host)
    wanted = set(servers) or {"web-1", "web-2", "web-3"}
    seen: set[str] = set()
    until = monotonic() + PATIENCE
    while seen != wanted and monotonic() < until:
        seen.add(urllib.request.urlopen(VIP, timeout=5).read().decode().split()[-1])
    return seen == wanted


def a_service(scope: Scope, host: Host) -> None:
    kill(scope, host, "web-2/app")


def an_haproxy(scope: Scope, host: Host) -> None:
    kill(scope, host, "lb-1/haproxy-shop")


def a_machine(scope: Scope, host: Host) -> None:
    forget_namespace(scope, "web-1")


def a_machine_with_the_address(scope: Scope, host: Host) -> None:
    forget_namespace(scope, "lb-1")


def a_machine_with_the_zone(scope: Scope, host: Host) -> None:
    forget_namespace(scope, "ns")


def a_folder_so_that_one_repair_asks_for_another(scope: Scope, host: Host) -> None:
    shutil.rmtree(host.folder(scope.name) / "machines" / "ns")


@pytest.mark.parametrize(
    "lose",
    [
        a_service,
        an_haproxy,
        a_machine,
        a_machine_with_the_address,
        a_machine_with_the_zone,
        a_folder_so_that_one_repair_asks_for_another,
    ],
)
def test_what_is_lost_is_back(
    standing: Scope, host: Host, watching: Callable[..., Watching], lose: Callable[[Scope, Host], None]
) -> None:
    watcher = watching()
    lose(standing, host)
    watcher.until("done")
    assert serves(standing, host)
    rows = lbkit.status(standing, host)
    assert all(row.present for row in rows)
    assert not [row for row in rows if row.key.kind in {"machine", "service"} and row.health is not Health.UP]
    assert watcher.end() == 0
    by = {
        record.get("by")
        for record in read_journal(host.folder(standing.name) / "journal.jsonl")
        if record["event"] == "start"
    }
    assert by == {None, "watch"}


def test_what_is_held_stays_out_though_its_haproxy_was_lost(
    standing: Scope, host: Host, watching: Callable[..., Watching]
) -> None:
    watcher = watching()
    lbkit.hold(standing, "shop/web/web-1", reason="disk fails", host=host, lock_timeout=PATIENCE)
    kill(standing, host, "lb-1/haproxy-shop", "lb-2/haproxy-shop")
    watcher.until("done")
    while lbkit.plan(standing, host):
        watcher.until("done")
    assert serves(standing, host, "web-2", "web-3")


def test_a_foreign_thing_in_the_way_is_told_and_not_touched(standing: Scope, host: Host) -> None:
    forget_namespace(standing, "web-1")
    shutil.rmtree(host.folder(standing.name) / "machines" / "web-1")
    path = host.netns_dir / f"{standing.name}.web-1"
    subprocess.run(["ip", "netns", "add", path.name], check=True)
    theirs = os.stat(path).st_ino
    kill(standing, host, "web-2/app")
    for _ in range(2):
        code, said = once(standing, host)
        assert code == 1
        assert [line["event"] for line in said] == ["failed"]
        assert "not made by lbkit" in said[0]["text"]
        assert os.stat(path).st_ino == theirs
    subprocess.run(["ip", "netns", "del", path.name], check=True)
    assert once(standing, host)[0] == 0
    assert serves(standing, host)


def test_once_the_budget_is_used_up_nothing_is_done_by_any_watcher(
    standing: Scope, host: Host, watching: Callable[..., Watching]
) -> None:
    assert once(standing, host) == (0, [])
    kill(standing, host, "web-2/app")
    assert once(standing, host, "--budget", "1/h")[0] == 0
    kill(standing, host, "web-2/app")
    code, said = once(standing, host, "--budget", "1/h")
    assert code == 2
    assert [line["event"] for line in said] == ["exhausted"]
    watcher = watching("--budget", "1/h")
    assert "0 are left" in watcher.until("exhausted")["text"]
    watcher.process.send_signal(signal.SIGHUP)
    watcher.until("exhausted")
    assert watcher.end() == 0
    assert set(watcher.rest()) <= {"ended"}, "said once, and again to a person who asks"
    assert {str(change) for change in lbkit.plan(standing, host).changes} == {"restart service web-2/app"}
    assert once(standing, host, "--budget", "2/h")[0] == 0
    assert serves(standing, host)


def test_what_a_person_edits_applies_and_destroys_is_theirs(
    standing: Scope, host: Host, watching: Callable[..., Watching]
) -> None:
    watcher = watching()
    file = Path(standing.file)
    file.write_text(file.read_text().replace("count: 3", "count: 4"))
    watcher.process.send_signal(signal.SIGHUP)
    assert "lbkit apply" in watcher.until("otherwise")["text"]
    assert "web-4/app" not in pids(standing, host)
    grown = lbkit.load(file)
    lbkit.apply(grown, host, lock_timeout=PATIENCE)
    watcher.until("read")
    kill(grown, host, "web-4/app")
    watcher.until("done")
    assert serves(grown, host, "web-1", "web-2", "web-3", "web-4")
    file.write_text(file.read_text().replace("count: 4", "count: [4"))
    watcher.process.send_signal(signal.SIGHUP)
    watcher.until("unreadable")
    kill(grown, host, "web-4/app")
    watcher.until("done")
    lbkit.destroy(grown, host, lock_timeout=PATIENCE)
    watcher.until("idle")
    watcher.process.send_signal(signal.SIGHUP)
    watcher.until("idle")
    assert not pids(grown, host)
    assert watcher.end() == 0
    assert not host.run_dir.exists()


@pytest.mark.parametrize("number", [0, 3, 8])
def test_killed_in_the_middle_the_next_one_converges(standing: Scope, host: Host, number: int) -> None:
    kill(standing, host, "lb-2/haproxy-shop", "web-3/app")
    forget_namespace(standing, "web-1")
    before = pids(standing, host)
    program = [sys.executable, str(SIGNALLED), standing.file, str(host.run_dir), str(number)]
    done = subprocess.run([*program, str(int(signal.SIGKILL))], check=False, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL
    code, _ = once(standing, host)
    assert code == 0
    assert serves(standing, host)
    after = pids(standing, host)
    assert {name for name in after if after[name] == before[name]} >= {"web-2/app", "ns/named"}
    records = read_journal(host.folder(standing.name) / "journal.jsonl")
    assert len({record["pid"] for record in records if record.get("by") == "watch"}) == 2


@pytest.mark.parametrize("number", [0, 3])
def test_asked_to_end_in_the_middle_it_ends_in_order(standing: Scope, host: Host, number: int) -> None:
    kill(standing, host, "lb-2/haproxy-shop")
    forget_namespace(standing, "web-1")
    program = [sys.executable, str(SIGNALLED), standing.file, str(host.run_dir), str(number)]
    done = subprocess.run(
        [*program, str(int(signal.SIGTERM))], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode in {0, 2}, done
    assert not done.stderr
    assert not list(host.run_dir.glob("*.lock"))
    assert once(standing, host)[0] == 0
    assert serves(standing, host)


def test_there_is_one_watcher_and_it_ends_when_it_is_asked_to(
    standing: Scope, host: Host, watching: Callable[..., Watching]
) -> None:
    watcher = watching()
    done = subprocess.run(
        command(standing, host), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert f"pid {watcher.process.pid}" in json.loads(done.stdout)["found"]
    assert watcher.end(signal.SIGINT) == 130
    assert not list(host.run_dir.glob("*.lock"))
    unread = command(standing, host, "--interval", "1s")
    reader, writer = os.pipe()
    with subprocess.Popen(unread, stdout=writer) as process:
        os.close(writer)
        assert b"watching" in os.read(reader, 10_000)
        os.close(reader)
        kill(standing, host, "web-2/app")
        assert process.wait(PATIENCE) == 141, "who reads the log went away"
    assert serves(standing, host), "what it had begun it ended"
