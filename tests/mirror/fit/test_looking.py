"""The whole question, as it is asked of a machine."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.errors import Mistake
from lbkit.mirror import machines
from lbkit.mirror.fit.main import look
from lbkit.mirror.fit.ports import ports
from lbkit.mirror.fit.source import Asked, source
from lbkit.mirror.fit.told import Fit
from tests.mirror.sync.https.web import Web, served

pytestmark = pytest.mark.sandbox


def asked(**wanted: Any) -> list[Fit]:
    return [*look(json.loads(machines.question(wanted)))]


def names(**wanted: Any) -> set[str]:
    return {each.name for each in asked(**wanted)}


def test_a_role_asks_for_what_it_runs(tmp_path: Path) -> None:
    there = {"path": str(tmp_path), "mirrors": ["a"], "ask_upstream": False}
    master = names(role="master", upstream="rsync://host/module", **there)
    assert {"rsync", "setpriv", "port 873", "user of rsync"} < master
    assert not {"nginx", "curl", "ssh", "port 80", "way to the folder"} & master
    assert "curl" in names(role="master", upstream="https://host/", **there)
    assert "ssh" in names(role="master", upstream="ssh://host/path", **there)
    node = names(role="node", **there)
    assert {"nginx", "port 80", "port 873", "user of nginx"} < node
    assert not {"nginx", "port 80"} & names(role="node", http_port=0, **there)
    assert len({each for each in node ^ master if each.startswith("port 2")}) == 3


@pytest.mark.parametrize(
    "wanted",
    [
        {"path": "srv"},
        {"path": "/srv/../etc"},
        {"path": "/srv", "min_free": "10"},
        {"path": "/srv", "size": "10 GiB"},
        {"path": "/srv", "upstream": "ftp://host/x"},
        {"path": "/srv", "upstream": "rsync://user:word@host/x"},
        {"path": "/srv", "upstream": "https://host/x/"},
        {"path": "/srv", "upstream": "/etc", "password": "x"},
        {"path": "/srv", "upstream": "rsync://host/x", "key": "x"},
    ],
)
def test_a_question_that_cannot_be_meant(wanted: dict[str, Any]) -> None:
    with pytest.raises(Mistake):
        asked(role="master", **wanted)


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        (taken,) = ports([number, number])
    assert not taken.good
    assert "process" in taken.found
    assert "systemctl disable" in taken.remedy
    (free,) = ports([number])
    assert free.good


def test_upstream_by_http(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    with served(Web({b"list": b"x"})) as web:
        url = f"http://127.0.0.1:{web.port}/pub/"
        assert source(Asked(url, digests="list")).good
        missing = source(Asked(url, digests="other"))
        assert not missing.good
        assert "other" in missing.found
        assert "404" in missing.found
        nowhere = source(Asked(url, digests=str(listed)))
        assert not nowhere.good
        assert f"no list {listed}" in nowhere.found


def test_upstream_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    (tmp_path / "two").mkdir()
    found = source(Asked(str(tmp_path)))
    assert found == Fit("upstream", True, f"{tmp_path} answers, with 2 names at its top")
    assert not source(Asked(str(tmp_path / "three"))).good


def test_a_user_without_a_password_is_not_asked() -> None:
    found = source(Asked("rsync://user@127.0.0.1:9/module"))
    assert not found.good
    assert "no password was given" in found.found


def test_upstream_that_does_not_answer_is_said_without_secrets() -> None:
    found = source(Asked("rsync://user@127.0.0.1:9/module", password="s3cret-word"))
    assert not found.good
    assert "Connection refused" in found.found
    assert "s3cret-word" not in f"{found}"


def test_it_is_one_file_that_needs_the_machine_s_python_alone(tmp_path: Path) -> None:
    program = tmp_path / "fit.pyz"
    program.write_bytes(machines.program())
    question = machines.question({"role": "master", "path": str(tmp_path / "data"), "min_free": "1024TiB"})
    done = subprocess.run(
        machines.argv(str(program)),
        input=question,
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env={},
    )
    answer = json.loads(done.stdout)
    assert {each["name"] for each in answer["checks"] if not each["good"]} == {"space"}
    assert "1024TiB needed; to do: a larger disk" in answer["msg"]
    assert (
        machines.check({"role": "master", "path": str(tmp_path / "data"), "min_free": "1024TiB"})["msg"]
        == answer["msg"]
    )
