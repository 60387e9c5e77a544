"""The playbook that updates a backend's servers one after the other: no request is lost, and it stops at the first that does not come back."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import lbkit
from tests.ansible.conftest import Play, Played
from tests.example import copied

pytestmark = pytest.mark.sandbox

VIP = "http://10.80.0.10/"


@pytest.fixture
def file(netns: None, topology_name: str, tmp_path: Path) -> Iterator[Path]:
    path = copied(tmp_path / "shop", topology_name)
    (path.parent / "web.lbkit.yml").write_text(
        yaml.safe_dump({"plugin": "lbkit.core.topology", "source": "web.yml"})
    )
    lbkit.apply(lbkit.load(path))
    yield path
    lbkit.destroy(lbkit.load(path))


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@contextmanager
def asking() -> Iterator[list[str]]:
    """What the answers were, one after the other, each by a connection of its own."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            try:
                with urllib.request.urlopen(VIP, timeout=10) as answer:
                    answers.append(answer.read().decode())
            except OSError as error:
                answers.append(f"lost: {error}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def test_servers_are_updated_one_by_one_and_no_request_is_lost(play: Play, file: Path) -> None:
    def run(**more: object) -> Played:
        return play(
            "playbooks/rolling_update.yml", "-i", str(file.parent / "web.lbkit.yml"),
            topology_file=str(file), backend="shop/web", server_port=8080, up_timeout="5s", **more,
        )  # fmt: skip

    changed(file.parent / "web" / "app.py", "hello from", "greetings from")
    with asking() as answers:
        done = run()
    assert done.code == 0, done.text[-3000:]
    assert {answer.split()[0] for answer in answers} == {"hello", "greetings"}
    assert [done.task("Make it as declared", f"web-{n}")["changed"] for n in (1, 2, 3)] == [True] * 3
    scope = lbkit.load(file)
    assert not lbkit.plan(scope)
    assert lbkit.holds(scope) == []

    again = run()
    assert again.code == 0, again.text[-3000:]
    assert {task["result"].get("changed", False) for task in again.tasks} == {False}

    changed(file.parent / "web" / "app.py", '"/healthz"', '"/elsewhere"')
    with asking() as answers:
        stopped = run(check={"protocol": "http", "path": "/healthz"})
    assert stopped.code != 0
    assert "web-1" in stopped.text
    assert {answer.split()[0] for answer in answers} == {"greetings"}
    assert [hold.path for hold in lbkit.holds(scope)] == ["shop/web/web-1"]
    assert {task["host"] for task in stopped.tasks} == {"web-1"}
    assert {change.key.name for change in lbkit.plan(lbkit.load(file)).changes} == {"web-2/app", "web-3/app"}
