"""The role lb_host on folders of a system of its own: what is foretold, what is done, and that the units' words work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ansible import wheels
from tests.ansible.conftest import ROOT, Play, Played
from tests.ansible.system import covered, digest

pytestmark = pytest.mark.sandbox

UNITS = Path("/etc/systemd/system")
WATCH_OPTIONS = ["--budget=5/h", "--interval", "30s"]


@pytest.fixture
def system(netns: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of a host where packages are installed, and nothing else was done."""
    monkeypatch.setenv("ANSIBLE_PIPELINING", "true")
    with covered(tmp_path / "system", copies=("/etc",), empty=("/opt", "/var/cache")):
        yield


@pytest.fixture
def arguments(topology_name: str, tmp_path: Path) -> dict[str, Any]:
    given = tmp_path / "given"
    (given / "wheels").mkdir(parents=True)
    topology = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.83.1.0/24"}},
        "machines": {"web": {"count": 2, "networks": ["in"]}},
    }
    (given / "small.json").write_text(json.dumps(topology))
    wheels.needed(given / "wheels")
    return {
        "lb_host_python": os.path.realpath(sys.executable),
        "lb_host_wheel": str(wheels.own(given)),
        "lb_host_wheels": str(given / "wheels"),
        "lb_host_command": "/opt/command",  # /usr/local/bin has the Python of some hosts
        "lb_host_topologies": [
            {"name": topology_name, "src": str(given / "small.json"), "watch": True, "watch_options": WATCH_OPTIONS},
            {"name": "other", "restore": False},
        ],
    }  # fmt: skip


def playbook(folder: Path, part: str = "main.yml", **arguments: Any) -> Path:
    path = folder / "play.yml"
    role = {"name": "lbkit.core.lb_host", "tasks_from": part}
    known = {} if part == "main.yml" else {"lb_host__systemd": {"stat": {"exists": False}}}
    task = {"name": "role", "ansible.builtin.import_role": role, "vars": arguments | known}
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    return path


def changed(played: Played) -> set[str]:
    return {task["task"] for task in played.tasks if task["result"].get("changed")}


def words(unit: Path, key: str, instance: str) -> list[str]:
    """A line of a unit, as systemd reads it with these few of its words: specifiers, and variables that are several."""
    text = unit.read_text()
    (line,) = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    environment: dict[str, str] = {}
    for drop_in in [unit, *unit.parent.glob(f"{unit.name.replace('@', f'@{instance}')}.d/*.conf")]:
        for assigned in re.findall(r"^Environment=(.*)$", drop_in.read_text(), re.MULTILINE):
            name, _, value = shlex.split(assigned)[0].partition("=")
            environment[name] = value
    found: list[str] = []
    for word in shlex.split(line.replace("%i", instance)):
        found += environment[word[1:]].split() if word.startswith("$") else [word]
    return found


def ran(*argv: str) -> str:
    done = subprocess.run(argv, cwd="/", env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_host_from_nothing(
    play: Play, system: None, arguments: dict[str, Any], topology_name: str, tmp_path: Path
) -> None:
    enabled = UNITS / "multi-user.target.wants"
    (enabled / "haproxy.service").unlink(missing_ok=True)
    (enabled / "haproxy.service").symlink_to("/lib/systemd/system/haproxy.service")
    (UNITS / "keepalived.service").symlink_to("/dev/null")  # masked by somebody
    (enabled / "foreign.service").symlink_to("/lib/systemd/system/foreign.service")
    file = playbook(tmp_path, **arguments)

    before = digest("/etc", "/opt", "/var/cache")
    foretold = play(file, "--check", "--diff")
    assert foretold.code == 0, foretold.text
    assert digest("/etc", "/opt", "/var/cache") == before, "check mode changed something"

    made = play(file)
    assert made.code == 0, made.text
    assert changed(made) == changed(foretold) | handed_over(made)
    after = digest("/etc")
    again = play(file)
    assert (again.code, again.recap["changed"]) == (0, 0), again.text
    assert digest("/etc") == after

    gone = {name for name in before if name.startswith("/etc/")} - set(after)
    assert str(enabled / "haproxy.service") in gone
    assert gone <= {str(enabled / "haproxy.service"), str(enabled / "keepalived.service")}
    assert os.readlink(UNITS / "keepalived.service") == "/dev/null"
    assert {Path(name).name for name in set(after) - set(before)} >= {"60-lbkit.conf", "lbkit.conf", "lbkit@.service"}  # fmt: skip
    assert {name for name, what in after.items() if what != before.get(name, what)} == set()
    assert sorted(path.name for path in enabled.glob("lbkit*")) == [
        f"lbkit-watch@{topology_name}.service",
        f"lbkit@{topology_name}.service",
    ]
    assert after["/etc/lbkit"][0] == oct(0o40750)
    assert after[f"/etc/lbkit/{topology_name}.yml"][0] == oct(0o100640)
    assert ran("/opt/command", "--version")

    for unit in ("lbkit@", "lbkit-watch@"):
        said = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", f"{UNITS}/{unit}.service", f"{UNITS}/{unit}{topology_name}.service"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (said.returncode, said.stdout + said.stderr) == (0, "")

    apply = words(UNITS / "lbkit@.service", "ExecStart", topology_name)
    ran(*apply)
    told = json.loads(ran("/opt/lbkit/bin/lbkit", "status", "--json", apply[-1]))
    assert {row["health"] for row in told["status"]} == {"up"}
    watch = words(UNITS / "lbkit-watch@.service", "ExecStart", topology_name)
    assert watch[2:-1] == WATCH_OPTIONS
    ran(*watch[:-1], "--once", watch[-1])
    ran("/opt/lbkit/bin/lbkit", "destroy", "--yes", apply[-1])

    with zipfile.ZipFile(arguments["lb_host_wheel"], "a") as wheel:
        wheel.writestr("lbkit/newer.py", "")
    other = play(playbook(tmp_path, part="library.yml", **arguments))
    assert (other.code, bool(ran("/opt/lbkit/bin/python", "-c", "import lbkit.newer; print('there')"))) == (
        0,
        True,
    )


def handed_over(played: Played) -> set[str]:
    """What is copied only where it is used at once: the installation itself is foretold."""
    return {"lbkit.core.lb_host : Hand over the wheels that it needs", "lbkit.core.lb_host : Hand over its own"} & changed(played)  # fmt: skip


def test_the_doctor_says_what_the_role_asks_it_for() -> None:
    """By these very names: what it does not say would be taken for good."""
    role = ROOT / "ansible_collections" / "lbkit" / "core" / "roles" / "lb_host"
    asked = yaml.safe_load((role / "vars" / "main.yml").read_text())["lb_host__checks_of"]
    done = subprocess.run([sys.executable, "-m", "lbkit", "doctor", "--json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    told = {check["name"] for check in json.loads(done.stdout)["checks"]}
    assert {name for names in asked.values() for name in names} <= told


@pytest.fixture
def standing(netns: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host where systemd runs, by a stand-in of systemctl, and so do haproxy and nginx. The folder has who is active."""
    monkeypatch.setenv("ANSIBLE_PIPELINING", "true")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").symlink_to(ROOT / "tests" / "ansible" / "standin" / "systemctl")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("STANDIN_UNITS", str(tmp_path / "units"))
    (tmp_path / "units").mkdir()
    for service in ("haproxy.service", "nginx.service"):
        (tmp_path / "units" / service).touch()
    Path("/run/systemd").mkdir(exist_ok=True)
    with covered(tmp_path / "system", copies=("/etc",), empty=("/run/systemd",)):
        Path("/run/systemd/system").mkdir()
        yield tmp_path / "units"


def test_a_service_that_runs_is_not_stopped_without_a_word(
    play: Play, standing: Path, tmp_path: Path
) -> None:
    def told(name: str, **given: Any) -> list[dict[str, Any]]:
        role = {"name": "lbkit.core.lb_host", "tasks_from": "daemons.yml"}
        known = {"lb_host__systemd": {"stat": {"exists": True}}, "lb_host_mirrors": True, **given}
        failed = {
            "name": f"{name}: failed",
            "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"},
        }
        block = [{"name": name, "ansible.builtin.include_role": role, "vars": known}]
        return [{"block": block, "rescue": [failed]}, {"name": "handlers", "ansible.builtin.meta": "flush_handlers"}]  # fmt: skip

    file = tmp_path / "play.yml"
    tasks = [
        *told("both run"),
        *told("one is kept", lb_host_daemons_kept=["nginx"]),
        *told("stopped", lb_host_daemons="stopped", lb_host_daemons_kept=["nginx"]),
        *told("again", lb_host_daemons_kept=["nginx"]),
    ]
    file.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    played = play(file)
    assert played.code == 0, played.text
    words = "of this host run, and would take its addresses and ports"
    assert f"haproxy.service, nginx.service {words}" in played.task("both run: failed")["msg"]
    assert played.task("one is kept: failed")["msg"].startswith(f"haproxy.service {words}")
    assert not [task["task"] for task in played.tasks if task["task"] in {"stopped: failed", "again: failed"}]
    assert (standing / "nginx.service").exists()
    assert not (standing / "haproxy.service").exists()
    assert (standing / "log").read_text().splitlines()[0] == "stop haproxy.service"
    enabled = [path.name for path in (UNITS / "multi-user.target.wants").iterdir()]
    assert not {"haproxy.service", "keepalived.service"} & set(enabled)
