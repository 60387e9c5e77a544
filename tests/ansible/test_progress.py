"""A long task shows how it goes while it runs, wherever it runs, and is the same task for that."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import lbkit
from tests.ansible.conftest import ROOT, Play, surroundings
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

PORT = 2222
_LISTENS = "import signal, socket; s = socket.create_server(('', 80)); signal.pause()"
WAITS = f"import sys; open(sys.argv[1]).read(); {_LISTENS}"
SLOW = f"import time; time.sleep(1.5); {_LISTENS}"  # longer than a task may take that shows nothing


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files of progress are made, with nothing else in it."""
    folder = tmp_path / "temporary"
    folder.mkdir(0o1777)
    monkeypatch.setenv("ANSIBLE_SYSTEM_TMPDIRS", str(folder))
    monkeypatch.setenv("LBKIT_PROGRESS", "1")
    return folder


def topology(name: str, number: int, code: str = SLOW, *words: str) -> dict[str, Any]:
    """One machine, and a service of it that is ready late."""
    service = {
        "name": "late",
        "command": ["/usr/bin/python3", "-c", code, *words],
        "ready": {"port": 80, "timeout": "60s"},
        "files": {"key": {"content": "hidden-word", "secret": True}},
    }
    return {
        "lbkit": 1,
        "name": f"{name}{number}",
        "networks": {"in": {"cidr": f"10.86.{number}.0/24"}},
        "machines": {f"m{number}": {"networks": ["in"], "run": [service]}},
    }


def task(name: str, definition: object, state: object = "present", **more: object) -> dict[str, Any]:
    return {"name": name, "lbkit.core.topology": {"definition": definition, "state": state}, **more}


def playbook(tmp_path: Path, *tasks: dict[str, Any], hosts: str = "localhost") -> Path:
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
    return path


def shown(text: str, host: str = "localhost") -> list[str]:
    lines = [line.removeprefix("progress: ") for line in text.splitlines() if line.startswith("progress: ")]
    assert all(line.startswith(f"[{host}] ") for line in lines)
    return [line.partition(" s: ")[2] for line in lines]


def lines_of(terminal: int) -> Iterator[str]:
    """What is written to its other end, until nobody has that open (EIO)."""
    with os.fdopen(terminal, "rb", buffering=0) as stream, suppress(OSError):
        for line in stream:
            yield line.decode().replace("\r\n", "\n")


def test_it_is_shown_on_a_terminal_while_the_task_runs(
    netns: None, topology_name: str, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LBKIT_PROGRESS")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    definition = topology(topology_name, 1, WAITS, str(gate))
    told = {
        "ANSIBLE_STDOUT_CALLBACK": "lbkit_json",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_NOCOLOR": "1",
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    terminal, end = os.openpty()
    with subprocess.Popen(
        [program, playbook(tmp_path, task("make", definition), task("remove", definition, "absent"))],
        cwd=ROOT, env=surroundings(tmp_path) | told, stdout=subprocess.PIPE, stderr=end, text=True,
    ) as process:  # fmt: skip
        os.close(end)
        before, lines = "", lines_of(terminal)
        while "create service m1/late begins" not in before:
            before += next(lines)
        assert shown(before) == [
            "create network in: 1 of 3 done",
            "create machine m1: 2 of 3 done",
            "create service m1/late begins",
        ]
        (folder,) = temporary.iterdir()
        (file,) = folder.iterdir()
        assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, file)] == [0o700, 0o600]
        assert "hidden-word" not in file.read_text()
        gate.write_text("")  # goes on when the service has come to read it
        printed = process.communicate(timeout=120)[0]
        more = "".join(lines)
    assert process.returncode == 0, printed + more
    assert "create service m1/late: 3 of 3 done" in shown(more)
    assert json.loads(printed)["recap"]["localhost"]["changed"] == 2, "nothing but JSON is in the output"
    assert not list(temporary.iterdir())


def test_a_task_is_the_same_with_it(
    netns: None, play: Play, topology_name: str, temporary: Path, tmp_path: Path
) -> None:
    everything = [topology(topology_name, number) for number in range(1, 8)]
    made, first, second, hidden, quiet, there, away = everything
    tasks = [
        {
            "ansible.builtin.add_host": {
                "name": "other",
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
            }
        },
        task("foreseen", made, check_mode=True),
        task("made", made),
        task("again", made),
        task("looped", "{{ item }}", loop=[first, second]),
        task("hidden", hidden, no_log=True),
        task("quiet", quiet, vars={"lbkit_progress": False}),
        task("there", there, delegate_to="other"),
        task("away", away, **{"async": 60, "poll": 1}),
    ]
    played = play(playbook(tmp_path, *tasks), "-vvv")
    for each in everything:
        lbkit.destroy(lbkit.load_data(each, tmp_path))
    assert played.code == 0, played.text
    told = re.findall(
        r"^progress: \[(.*)\] .* s: create service (m\d)/late: 3 of 3 done$", played.text, re.MULTILINE
    )
    # neither what is hidden, quiet or async, nor what was only foreseen, nor what there was nothing to do for
    assert told == [
        ("localhost", "m1"),
        ("localhost", "m2"),
        ("localhost", "m3"),
        ("localhost -> other", "m6"),
    ]
    assert len(re.findall("^progress: .* create network in: ", played.text, re.MULTILINE)) == len(told)
    assert played.task("made")["plan"] == played.task("foreseen")["plan"]
    for name in ("made", "foreseen", "again"):
        assert played.task(name)["invocation"]["module_args"]["progress_file"] is None
    assert played.task("away")["plan"]["summary"] == played.task("made")["plan"]["summary"]
    assert played.task("again")["changed"] is False
    assert not list(temporary.iterdir())


def test_where_it_cannot_be_shown_the_task_does_its_work(
    netns: None, play: Play, topology_name: str, temporary: Path, tmp_path: Path
) -> None:
    definition = topology(topology_name, 1)
    temporary.rmdir()
    played = play(
        playbook(tmp_path, task("made", definition), task("gone", definition, "absent", check_mode=True)),
        "-vv",
    )
    assert played.code == 0, played.text
    assert played.task("made")["changed"]
    assert not shown(played.text)
    assert "no more progress is shown" in played.text


@pytest.fixture
def far(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables of a host that is reached by a real ssh."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "known").write_text(f"[127.0.0.1]:{PORT} {(tmp_path / 'host.pub').read_text()}")
    told = {
        "Port": PORT, "ListenAddress": "127.0.0.1", "HostKey": tmp_path / "host", "StrictModes": "no", "UsePAM": "no",
        "AuthorizedKeysFile": tmp_path / "user.pub", "PidFile": "none", "SetEnv": f"HOME={tmp_path}",
    }  # fmt: skip
    (tmp_path / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in told.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd(8), where it separates its privileges
    with (tmp_path / "sshd.log").open("wb") as log:
        sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=log)
    until(listens, "sshd listens")
    yield {
        "ansible_host": "127.0.0.1",
        "ansible_port": str(PORT),
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(tmp_path / "user"),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={tmp_path / 'known'}",
        "ansible_ssh_transfer_method": "piped",
        "ansible_control_path_dir": str(tmp_path / "cp"),
        "ansible_python_interpreter": sys.executable,
    }
    sshd.kill()
    sshd.wait()


def listens() -> bool:
    try:
        socket.create_connection(("127.0.0.1", PORT)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("pipelining", [False, True])
def test_it_is_shown_of_another_host_and_as_another_user(
    netns: None,
    play: Play,
    topology_name: str,
    temporary: Path,
    tmp_path: Path,
    far: dict[str, str],
    *,
    pipelining: bool,
) -> None:
    definition = topology(topology_name, 1)
    become = {"become": True, "become_method": "su"}
    variables = {**far, "ansible_pipelining": pipelining, "ansible_become_allow_same_user": True}
    tasks = [
        {"ansible.builtin.add_host": {"name": "far", **variables}},
        task("made", definition, delegate_to="far", **become),
    ]
    played = play(playbook(tmp_path, *tasks))
    lbkit.destroy(lbkit.load_data(definition, tmp_path))
    assert played.code == 0, played.text
    assert shown(played.text, "localhost -> far") == [
        "create network in: 1 of 3 done",
        "create machine m1: 2 of 3 done",
        "create service m1/late begins",
        "create service m1/late: 3 of 3 done",
    ]
    assert not list(temporary.iterdir())
