"""haproxy_map and haproxy_certificate in real plays: check mode predicts and touches nothing, a second run changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.ansible.conftest import ROOT, Play, Played
from tests.ansible.foretelling import foretold
from tests.haproxy.bare import Bare, running
from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.clients import handshake, trusting
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
MAP = "/a one\n/b two\n"
AUTHORITY = Authority()
OLD, NEW, MORE = (AUTHORITY.issue(f"{name}.example.org") for name in ("old", "new", "more"))
PORT = 9543
CONFIG = f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend f
    bind 127.0.0.1:{PORT} ssl crt-list list
    http-request return status 200 content-type text/plain lf-string %[path,map(routes.map,none)]
"""


@pytest.fixture
def haproxy(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bare]:
    folder = tmp_path / "haproxy"
    folder.mkdir()
    OLD.write(folder / "old.pem")
    (folder / "list").write_text("old.pem\n")
    (folder / "routes.map").write_text(MAP)
    with running(program(request.param), folder, CONFIG) as made:
        yield made


def tasks_of(haproxy: Bare, source: Path, secret: str) -> list[dict[str, Any]]:
    here = {"socket": str(haproxy.folder / "runtime.sock"), "folder": str(haproxy.folder)}
    routes = {**here, "name": "routes.map"}
    more = {**here, "name": "more.pem", "crt_list": "list"}
    one = [{"key": "/c", "value": "three"}]
    of_map = {
        "add": {**routes, "entries": one},
        "whole": {
            **routes,
            "entries": [{"key": "/z", "value": "x y"}, *one],
            "exclusive": True,
            "persist": True,
        },
        "remove": {**routes, "entries": [{"key": "/c", "value": "three"}], "state": "absent"},
        "keep": {**routes, "entries": [{"key": "/z", "value": "other"}], "state": "absent"},
    }
    of_certificate = {
        "replace": {**here, "name": "old.pem", "src": [str(source)], "persist": True},
        "bring": {**more, "content": secret, "names": ["more.example.org"]},
        "take": {**more, "state": "absent"},
    }
    return [
        *({"name": name, "lbkit.core.haproxy_map": arguments} for name, arguments in of_map.items()),
        *(
            {"name": name, "lbkit.core.haproxy_certificate": arguments}
            for name, arguments in of_certificate.items()
        ),
    ]


@pytest.mark.foretells("haproxy_map", "haproxy_certificate")
@pytest.mark.parametrize("haproxy", VERSIONS[:1], indirect=True)  # the library's tests have both
def test_check_mode_predicts_what_a_run_reports_and_a_second_run_changes_nothing(
    haproxy: Bare, play: Play, tmp_path: Path
) -> None:
    secret = (MORE.pem + MORE.key_pem).decode()
    tasks = tasks_of(haproxy, NEW.write(tmp_path / "new.pem"), secret)
    # each task thrice: what it would do, what it does, and once more
    book = [
        {**task, "name": f"{task['name']} {how}", "check_mode": how == "checked", "diff": True}
        for task in tasks
        for how in ("checked", "done", "again")
    ]
    before = everything(haproxy)
    some = {"whole checked", "replace checked", "bring checked"}
    checked = play(playbook(tmp_path, [task for task in book if task["name"] in some]))
    assert checked.code == 0, checked.text
    after = everything(haproxy)
    played = play(playbook(tmp_path, book), "--diff", "-vvv")
    assert played.code == 0, played.text
    for task in tasks:
        told, done, again = (result_of(played, task["name"], how) for how in ("checked", "done", "again"))
        module = next(key for key in task if key.startswith("lbkit.")).removeprefix("lbkit.core.")
        foretold(module, told, done, before=before, after=after)
        assert told == done
        assert done["changed"] is (task["name"] != "keep")
        assert again["changed"] is False
        assert (again["plan"]["changes"], again["diff"]["before"], again["diff"]["after"]) == ([], "", "")
        jsonschema.validate(done["plan"], SCHEMA)
    for line in (*secret.splitlines(), *NEW.key_pem.decode().splitlines()):
        assert line not in played.text
    assert "PRIVATE KEY" not in played.text
    add = result_of(played, "add", "done")
    assert "live only" in add["plan"]["notes"][0]
    assert (add["diff"]["before"], add["diff"]["after"]) == (
        "map routes.map:\n  entries: \n",
        "map routes.map:\n  entries: |\n    /c three\n",
    )
    assert (haproxy.folder / "routes.map").read_text() == "/z x y\n/c three\n"
    assert [line.partition(" ")[2] for line in haproxy.ask("show map routes.map").splitlines()] == ["/z x y"]
    replaced = result_of(played, "replace", "done")["certificate"]
    assert (replaced["subject"], replaced["names"]) == ("/CN=new.example.org", ["new.example.org"])
    seen = handshake(PORT, "new.example.org", trusting(AUTHORITY))
    assert seen.serial == NEW.serial
    assert haproxy.ask("show ssl cert") == "# filename\nold.pem"


@pytest.mark.parametrize("haproxy", VERSIONS[1:], indirect=True)
def test_what_cannot_be_fails_the_task_and_says_what_to_do(haproxy: Bare, play: Play, tmp_path: Path) -> None:
    here = {"socket": str(haproxy.folder / "runtime.sock")}
    mixed = (OLD.pem + NEW.key_pem).decode()
    wrong: dict[str, dict[str, Any]] = {
        "did you mean 'routes.map'": {"name": "route.map", "entries": [{"key": "a", "value": "b"}]},
        "the key a alone": {"name": "routes.map", "entries": [{"key": "a"}]},
        "No such file": {"name": "routes.map", "entries": [], "exclusive": True, "socket": "/nowhere"},
        "a key of none of": {"name": "old.pem", "content": mixed},
        "did you mean 'old.pem'": {"name": "od.pem", "content": (NEW.pem + NEW.key_pem).decode()},
        "in use by list": {"name": "old.pem", "state": "absent"},
        "src, content": {"name": "old.pem"},
    }
    before = everything(haproxy)
    played = play(
        playbook(
            tmp_path,
            [
                {
                    "name": words,
                    f"lbkit.core.haproxy_{'map' if 'entries' in arguments else 'certificate'}": {
                        **here,
                        **arguments,
                    },
                    "ignore_errors": True,
                }
                for words, arguments in wrong.items()
            ],
        )
    )
    for words in wrong:
        told = played.task(words)
        assert words in told["msg"]
        assert told.get("changed", False) is False
    assert mixed.splitlines()[-2] not in played.text
    assert everything(haproxy) == before


def result_of(played: Played, name: str, how: str) -> dict[str, Any]:
    """What a task returned of its own: `invocation` says how it was called."""
    result = played.task(f"{name} {how}")
    return {key: value for key, value in result.items() if key in {"changed", "plan", "diff", "certificate"}}


def everything(haproxy: Bare) -> tuple[str, dict[str, bytes]]:
    told = haproxy.ask(
        "show map routes.map", "show ssl cert", "show ssl cert old.pem", "show ssl crt-list -n list"
    )
    files = ("routes.map", "old.pem", "list")
    return told, {name: (haproxy.folder / name).read_bytes() for name in files}


def playbook(tmp_path: Path, tasks: list[dict[str, Any]]) -> Path:
    path = tmp_path / "play.yml"
    quick = {"ansible_pipelining": True}
    path.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": quick, "tasks": tasks}])
    )
    return path
