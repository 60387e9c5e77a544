"""Services: files, reloads, checks, readiness. What stands stays; what differs is seen and mended with the least harm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.applying import ApplyFailed
from lbkit.engine.change import Action, Change, Impact
from lbkit.engine.diff import ForeignObject
from lbkit.engine.scope import Scope
from lbkit.engine.view import Health
from lbkit.machine.contract import Program
from lbkit.machine.netns.machine import NetnsMachine
from lbkit.machine.resolved import ResolvedFile, ResolvedService
from lbkit.machine.room import ROOM
from lbkit.machine.spec import Ready
from tests.machine.world import (
    PYTHON,
    alive,
    apply,
    kill,
    log_of,
    machine,
    pids,
    plan,
    scope_of,
    service,
    text,
    until,
    words,
)

pytestmark = pytest.mark.sandbox

# prints the content of `a.conf` when it starts and at each SIGHUP
READER = (
    PYTHON,
    "-I",
    "-u",
    "-c",
    """
import signal
def read(*_): print('has', open('a.conf').read())
signal.signal(signal.SIGHUP, read)
read()
while True: signal.pause()
""",
)
SERVER = (PYTHON, "-I", "-m", "http.server", "8080")


def reader(content: str, **more: object) -> ResolvedService:
    return service("app", *READER, files={"a.conf": text(content)}, **more)


def only(changes: tuple[Change, ...]) -> Change:
    (change,) = changes
    return change


def one(topology: str, *services: ResolvedService) -> Scope:
    return scope_of(topology, machine("m", *services))


def test_the_second_apply_has_nothing_to_do_and_starts_nothing(topology: str, host: Host) -> None:
    scope = scope_of(
        topology,
        machine("a", service("x"), service("y")),
        machine("b", reader("1"), service("z", *SERVER, ready=Ready(port=8080))),
    )
    apply(scope, host)
    before = pids(topology)
    assert len(before) == 4
    assert not plan(scope, host)
    apply(scope, host)
    assert pids(topology) == before
    assert {row.health for row in ROOM.status(scope, host)} == {Health.UP}


def test_a_killed_service_is_drift_with_its_last_words_and_others_stand(topology: str, host: Host) -> None:
    scope = one(topology, reader("1"), service("other"))
    apply(scope, host)
    until(lambda: "has" in log_of(host, topology, "m/app"), "it reads")
    before = pids(topology)
    kill(before["m/app"][0])
    until(lambda: "m/app" not in pids(topology), "it died")
    change = only(plan(scope, host).changes)
    assert (str(change), change.action, change.impact) == (
        "restart service m/app",
        Action.RESTART,
        Impact.NONE,
    )
    assert change.reason == "it died; its log ends: has 1"
    assert {row.key.name: row.health for row in ROOM.status(scope, host)}["m/app"] is Health.DOWN
    apply(scope, host)
    after = pids(topology)
    assert after["m/other"] == before["m/other"]
    assert after["m/app"] != before["m/app"]
    assert not plan(scope, host)


def test_a_declared_reload_takes_up_changed_files_without_a_restart(topology: str, host: Host) -> None:
    apply(one(topology, reader("1", reload="HUP")), host)
    before = pids(topology)
    until(lambda: "has 1" in log_of(host, topology, "m/app"), "it reads")
    scope = one(topology, reader("2", reload="HUP"))
    change = only(plan(scope, host).changes)
    assert change.impact is Impact.RELOAD
    assert "a.conf" in change.reason
    assert change.as_data()["before"]["files"]["a.conf"]["text"] == "1"
    assert change.as_data()["after"]["files"]["a.conf"]["text"] == "2"
    apply(scope, host)
    until(lambda: "has 2" in log_of(host, topology, "m/app"), "it reads again")
    assert pids(topology) == before
    assert not plan(scope, host)


def test_a_reload_by_command(topology: str, host: Host) -> None:
    command = (PYTHON, "-I", "-c", "open('told', 'w').write('x')")
    apply(one(topology, reader("1", reload=command)), host)
    before = pids(topology)
    apply(one(topology, reader("2", reload=command)), host)
    assert (host.folder(topology) / "machines/m/app/told").read_text() == "x"
    assert pids(topology) == before


def test_without_a_reload_changed_files_restart_it(topology: str, host: Host) -> None:
    apply(one(topology, reader("1")), host)
    before = pids(topology)
    scope = one(topology, reader("2"))
    assert only(plan(scope, host).changes).impact is Impact.DISRUPTIVE
    apply(scope, host)
    assert pids(topology) != before
    assert not plan(scope, host)


@pytest.mark.parametrize(
    "changed",
    [
        reader("1", environment={"A": "2"}, reload="HUP"),
        service(
            "app", *READER, "argument", files={"a.conf": text("1")}, environment={"A": "1"}, reload="HUP"
        ),
    ],
)
def test_what_a_process_is_started_from_needs_a_restart_even_with_a_reload(
    topology: str, host: Host, changed: ResolvedService
) -> None:
    apply(one(topology, reader("1", environment={"A": "1"}, reload="HUP")), host)
    before = pids(topology)
    change = only(plan(one(topology, changed), host).changes)
    assert (change.action, change.impact) == (Action.UPDATE, Impact.DISRUPTIVE)
    apply(one(topology, changed), host)
    assert pids(topology) != before
    assert not plan(one(topology, changed), host)


def test_how_it_is_reloaded_checked_and_stopped_is_not_what_it_runs_from(topology: str, host: Host) -> None:
    apply(one(topology, reader("1")), host)
    assert not plan(one(topology, reader("1", reload="HUP", check=("true",), stop_timeout=3.0)), host)


@pytest.mark.parametrize("drift", ["content", "mode", "gone", "link"])
def test_a_file_changed_by_hand_is_drift(topology: str, host: Host, drift: str, tmp_path: Path) -> None:
    scope = one(topology, reader("1", reload="HUP"))
    apply(scope, host)
    until(lambda: "has 1" in log_of(host, topology, "m/app"), "it reads")
    path = host.folder(topology) / "machines/m/app/a.conf"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    if drift == "content":
        path.write_text("other")
    elif drift == "mode":
        path.chmod(0o600)
    else:
        path.unlink()
        if drift == "link":
            path.symlink_to(elsewhere)
    assert only(plan(scope, host).changes).impact is Impact.RELOAD
    apply(scope, host)
    assert (path.read_text(), path.stat().st_mode & 0o777, path.is_symlink()) == ("1", 0o644, False)
    assert elsewhere.read_text() == "mine"
    assert not plan(scope, host)


def test_a_file_that_is_declared_no_longer_goes_and_what_the_service_made_stays(
    topology: str, host: Host
) -> None:
    files = {"a.conf": text("1"), "conf.d/b.conf": text("2"), "state": text("x", once=True)}
    apply(one(topology, service(files=files)), host)
    folder = host.folder(topology) / "machines/m/app"
    (folder / "made").write_text("")
    scope = one(topology, service(files={"a.conf": text("1")}))
    assert "file conf.d/b.conf" in only(plan(scope, host).changes).reason
    apply(scope, host)
    assert sorted(path.name for path in folder.iterdir()) == ["a.conf", "log", "made", "state"]
    assert not plan(scope, host)


def test_a_file_once_is_written_where_it_is_missing_and_never_again(topology: str, host: Host) -> None:
    def scope(content: str) -> Scope:
        return one(topology, service(files={"zone": text(content, once=True)}))

    apply(scope("1"), host)
    zone = host.folder(topology) / "machines/m/app/zone"
    zone.write_text("its own")
    assert not plan(scope("1"), host)
    assert not plan(scope("2"), host)
    zone.unlink()
    apply(scope("2"), host)
    assert zone.read_text() == "2"


def test_a_secret_is_written_and_in_no_plan_journal_or_record(topology: str, host: Host) -> None:
    def scope(content: str) -> Scope:
        secret = ResolvedFile(Secret(content.encode()), 0o600)
        return one(topology, service(files={"key": secret}, check=("test", "-f", "key")))

    apply(scope("swordfish1"), host)
    path = host.folder(topology) / "machines/m/app/key"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("swordfish1", 0o600)
    assert not plan(scope("swordfish1"), host)
    told = str(plan(scope("swordfish2"), host).as_data()) + str(
        plan(one(topology, service()), host).as_data()
    )
    for each in host.folder(topology).rglob("*"):
        told += each.read_text() if each.is_file() and each != path else ""
    assert "swordfish" not in told
    apply(scope("swordfish2"), host)
    assert path.read_text() == "swordfish2"


def test_a_failed_check_leaves_files_and_process_as_they_were(topology: str, host: Host) -> None:
    check = ("grep", "-q", "good", "a.conf")
    apply(one(topology, reader("good", check=check)), host)
    before = pids(topology)
    broken = one(
        topology, service("app", *READER, files={"a.conf": text("bad"), "new": text("")}, check=check)
    )
    with pytest.raises(ApplyFailed) as caught:
        apply(broken, host)
    assert "grep -q good a.conf" in str(caught.value)
    folder = host.folder(topology) / "machines/m/app"
    assert sorted(path.name for path in folder.iterdir()) == ["a.conf", "log"]
    assert (folder / "a.conf").read_text() == "good"
    assert pids(topology) == before
    assert not plan(one(topology, reader("good", check=check)), host)


def test_a_service_is_ready_when_its_port_accepts(topology: str, host: Host) -> None:
    late = "import socket, time; time.sleep(0.3); s = socket.create_server(('127.0.0.1', 8080)); time.sleep(1000)"
    scope = one(topology, service("app", PYTHON, "-I", "-c", late, ready=Ready(port=8080)))
    apply(scope, host)
    NetnsMachine(topology, host, "m").dial("127.0.0.1", 8080).close()
    assert not plan(scope, host)
    (finding, *_) = [each for each in ROOM.explain(scope, host, ["m", "app"]) or () if "port" in each.what]
    assert finding.good


@pytest.mark.parametrize("end", ["sys.exit(3)", "time.sleep(1000)"])
def test_one_that_never_gets_ready_fails_with_its_log_and_is_started_anew(
    topology: str, host: Host, end: str
) -> None:
    code = f"import sys, time; print('no licence', flush=True); {end}"
    scope = one(topology, service("app", PYTHON, "-I", "-c", code, ready=Ready(port=8080, timeout=0.5)))
    with pytest.raises(ApplyFailed) as caught:
        apply(scope, host)
    assert "port 8080" in str(caught.value)
    assert "no licence" in caught.value.found
    assert "service m/app" in str(caught.value)
    assert words(plan(scope, host).changes) in (["update service m/app"], ["restart service m/app"])
    mended = one(topology, service("app", *SERVER, ready=Ready(port=8080)))
    apply(mended, host)
    assert not plan(mended, host)


def test_one_that_exits_at_once_is_seen_with_its_last_words(topology: str, host: Host) -> None:
    scope = one(topology, service("app", "sh", "-c", "echo no licence; exit 3"))
    try:
        apply(scope, host)
    except ApplyFailed as error:
        assert "it died" in error.found  # noqa: PT017 - it may die before or after it is looked at
    until(lambda: pids(topology) == {}, "it ended")
    assert only(plan(scope, host).changes).reason == "it died; its log ends: no licence"


def test_a_missing_program_fails_the_apply_in_the_system_s_words(topology: str, host: Host) -> None:
    with pytest.raises(ApplyFailed, match="No such file or directory: no-such-program"):
        apply(one(topology, service("app", "no-such-program")), host)
    assert pids(topology) == {}


def test_a_service_declared_no_longer_goes_alone(topology: str, host: Host) -> None:
    apply(one(topology, service("x"), service("y", files={"f": text("")})), host)
    before = pids(topology)
    scope = one(topology, service("x"))
    assert words(plan(scope, host).changes) == ["delete service m/y"]
    apply(scope, host)
    assert pids(topology) == {"m/x": before["m/x"]}
    assert not [
        path for path in (host.folder(topology) / "machines/m").iterdir() if path.name.startswith("y")
    ]


def test_daemons_of_other_rooms_are_not_this_room_s(topology: str, host: Host) -> None:
    apply(one(topology), host)
    NetnsMachine(topology, host, "m").start(Program("haproxy-shop", ("sleep", "1000"), kind="haproxy"))
    assert not plan(one(topology), host)
    assert [str(have.key) for have in ROOM.observe(one(topology), host)] == ["machine m"]
    with pytest.raises(ForeignObject, match="haproxy-shop"):
        plan(one(topology, service("haproxy-shop")), host)


def test_files_removed_under_a_running_service_are_made_again_and_nothing_stray_stays(
    topology: str, host: Host
) -> None:
    """As by `rm -r /run/lbkit`."""
    scope = one(topology, reader("1"))
    apply(scope, host)
    before = pids(topology)
    shutil.rmtree(host.folder(topology))
    assert words(plan(scope, host).changes) == ["create service m/app"]
    apply(scope, host)
    after = pids(topology)
    assert list(after) == ["m/app"]
    assert len(after["m/app"]) == 1
    assert after != before


def test_a_service_of_a_user_has_files_of_its_own_and_is_as_wanted(topology: str, host: Host) -> None:
    files = {"a.conf": text("1"), "key": ResolvedFile(Secret(b"x"), 0o600), "state": text("", once=True)}
    command = ("sh", "-c", "cat key && touch made && exec sleep 1000")
    scope = one(topology, service("app", *command, user="nobody", files=files))
    apply(scope, host)
    folder = host.folder(topology) / "machines/m/app"
    until((folder / "made").exists, "it may read its key and write in its folder")
    assert not plan(scope, host)
    owner = "nobody" if host.can_switch_user else "root"
    assert {path.owner() for path in (folder, *folder.iterdir())} - {"root"} == {owner} - {"root"}
    assert (folder / "key").owner() == owner


def test_many_services_are_started_and_stopped_together(topology: str, host: Host) -> None:
    scope = scope_of(topology, *(machine(f"m{number}", service("x"), service("y")) for number in range(20)))
    apply(scope, host)
    assert len(pids(topology)) == 40
    assert not plan(scope, host)
    apply(scope_of(topology, machine("m0", service("x"))), host)
    assert list(pids(topology)) == ["m0/x"]


def test_a_full_disk_is_an_error_that_leaves_the_old_and_the_next_apply_goes_on(topology: str) -> None:
    run_dir = Path("/run/full", topology)
    run_dir.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", run_dir], check=True)
    host = Host(run_dir=run_dir)
    try:
        apply(one(topology, reader("1")), host)
        until(lambda: "has 1" in log_of(host, topology, "m/app"), "it reads")
        before = pids(topology)
        large = one(topology, reader("2" * 100_000))
        with pytest.raises(ApplyFailed, match="No space left"):
            apply(large, host)
        assert (run_dir / topology / "machines/m/app/a.conf").read_text() == "1"
        assert pids(topology) == before
        assert plan(large, host)
        filler = run_dir / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb") as stream:
            stream.write(bytes(1 << 16))
        with pytest.raises(Failure, match="No space left"):
            NetnsMachine(topology, host, "m").start(Program("more", ("sleep", "1000")))
        assert pids(topology) == before
        filler.unlink()
        scope = one(topology, reader("3"))
        apply(scope, host)
        assert not plan(scope, host)
        assert not alive(before["m/app"][0])
    finally:
        apply(scope_of(topology), host, absent=True)
        subprocess.run(["umount", run_dir], check=True)
