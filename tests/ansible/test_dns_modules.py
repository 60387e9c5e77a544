"""dns_records and dns_zone_info in real plays, against a real named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lbkit.dns.keygen import write_key
from tests.ansible.conftest import ROOT, Play
from tests.ansible.foretelling import foretold
from tests.dns.named import ZONE, Named, running

pytestmark = pytest.mark.sandbox

SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
RECORDS = """
old 600 A 192.0.2.98
old 600 A 192.0.2.99
stale 600 TXT "by hand"
shop 300 A 10.80.0.10
a.shop._lbkit 300 TXT "lbkit:web:rrset" "10.80.0.10"
"""


LOOKED = ("present", "prune")  # before and after check mode; at others it does the same


@pytest.fixture
def server(netns: None, tmp_path: Path) -> Iterator[Named]:
    write_key(tmp_path / "tsig.key")
    with running(Named(tmp_path / "ns", tmp_path / "tsig.key", records=RECORDS)) as named:
        yield named


class Tasks:
    """A playbook of tasks at one zone. Each is a module, its name and arguments; `predicted` runs one in check mode before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tasks: list[dict[str, Any]] = []

    def add(self, name: str, module: str, key: dict[str, Any] | None = None, **task: Any) -> None:
        fails = {"ignore_errors": True} if task.pop("fails", False) else {}
        checks = {"check_mode": True} if task.pop("check", False) else {}
        key = key or {"name": "lbkit", "secret_file": str(self.folder / "tsig.key")}
        arguments = {"server": "127.0.0.1", "zone": ZONE, "key": key, **task}
        self.tasks.append({"name": name, f"lbkit.core.{module}": arguments, **checks, **fails})

    def predicted(self, name: str, **task: Any) -> None:
        if name in LOOKED:
            self.add(f"{name}, untouched", "dns_zone_info")
        self.add(f"{name}, foretold", "dns_records", check=True, **task)
        if name in LOOKED:
            self.add(f"{name}, still untouched", "dns_zone_info")
        self.add(f"{name}, done", "dns_records", **task)
        self.add(f"{name}, again", "dns_records", **task)

    def file(self) -> Path:
        path = self.folder / "play.yml"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": self.tasks}]))
        return path


@pytest.mark.foretells("dns_records")
def test_check_mode_foretells_what_a_run_does_and_a_second_run_changes_nothing(
    play: Play, server: Named, tmp_path: Path
) -> None:
    tasks = Tasks(tmp_path)
    tasks.add("before", "dns_zone_info")
    www = {"name": "www", "type": "A", "ttl": "5m"}
    tasks.predicted(
        "present",
        records=[
            {**www, "values": ["192.0.2.1", "192.0.2.2"]},
            {"name": "@", "type": "TXT", "values": ["v=spf1 -all"]},
        ],
    )
    tasks.predicted(
        "append", values="append", records=[{"name": "old", "type": "A", "values": ["192.0.2.1"]}]
    )
    tasks.predicted(
        "absent",
        state="absent",
        records=[{"name": "old", "type": "A", "values": ["192.0.2.1", "192.0.2.98"]}],
    )
    tasks.predicted("whole", state="absent", records=[{"name": "www", "type": "A"}])
    tasks.predicted(
        "prune", prune=True, keep=["ns"], records=[{"name": "new", "type": "AAAA", "values": ["2001:DB8::1"]}]
    )
    tasks.add("after", "dns_zone_info")
    tasks.predicted("back", prune=True, records="{{ before.records }}")
    tasks.add("finally", "dns_zone_info")
    tasks.tasks[0]["register"] = "before"
    played = play(tasks.file(), "--diff")
    assert played.code == 0, played.text
    last = played.task("before")
    for name, changes in {
        "present": {f"create rrset {ZONE} www A", f"create rrset {ZONE} @ TXT"},
        "append": {f"update rrset {ZONE} old A"},
        "absent": {f"update rrset {ZONE} old A"},
        "whole": {f"delete rrset {ZONE} www A"},
        "prune": {
            f"create rrset {ZONE} new AAAA",
            *(f"delete rrset {ZONE} {one}" for one in ("@ TXT", "old A", "stale TXT")),
        },
        "back": {
            f"delete rrset {ZONE} new AAAA",
            *(f"create rrset {ZONE} {one}" for one in ("old A", "stale TXT")),
        },
    }.items():
        foreseen, done, again = (played.task(f"{name}, {when}") for when in ("foretold", "done", "again"))
        jsonschema.validate(done["plan"], SCHEMA)
        assert foreseen["changed"], name
        looks = ("untouched", "still untouched") if name in LOOKED else ("again", "again")
        before, after = (played.task(f"{name}, {when}").get("records") for when in looks)
        foretold("dns_records", foreseen, done, before=before, after=after)
        told = done["plan"]["changes"]
        assert {f"{change['action']} rrset {change['resource']['name']}" for change in told} == changes
        assert not again["changed"], name
        assert again["plan"]["changes"] == []
    assert played.task("prune, done")["plan"]["notes"] == ["of topology web, so they stay: shop A"]
    assert "values: ['192.0.2.98', '192.0.2.99']" in played.task("back, done")["diff"]["after"].replace(
        '"', "'"
    )
    after = {(record["name"], record["type"]) for record in played.task("after")["records"]}
    assert after == {("new", "AAAA"), ("ns", "A"), ("shop", "A")}
    assert played.task("after")["marked"] == [
        {"name": "shop", "type": "A", "topology": "web", "values": ["10.80.0.10"]}
    ]
    assert played.task("finally")["records"] == last["records"]


def test_what_cannot_be_done_fails_the_task_with_words_and_no_secret(
    play: Play, server: Named, tmp_path: Path
) -> None:
    secret = (tmp_path / "tsig.key").read_text().split('"')[3]
    www = [{"name": "www", "type": "A", "values": ["192.0.2.1"]}]
    tasks = Tasks(tmp_path)
    shop = [{"name": "shop", "type": "A", "values": ["192.0.2.1"]}]
    wrong = [
        {"name": "a b", "type": "A", "values": ["192.0.2.1"]},
        {"name": "www", "type": "A", "values": []},
    ]
    given = {"name": "lbkit", "secret": secret}
    for check in (True, False):
        when = "foretold" if check else "done"
        tasks.add(f"topology's, {when}", "dns_records", fails=True, check=check, records=shop)
        tasks.add(f"mistakes, {when}", "dns_records", fails=True, check=check, records=wrong)
        tasks.add(
            f"badkey, {when}",
            "dns_records",
            fails=True,
            check=check,
            records=www,
            key={**given, "name": "other"},
        )
        tasks.add(
            f"notauth, {when}",
            "dns_records",
            fails=True,
            check=check,
            records=www,
            zone="elsewhere.test",
            key=given,
        )
    tasks.add("unreachable", "dns_zone_info", fails=True, port=54)
    lagging: dict[str, Any] = {"wait_for": ["127.0.0.1:54"], "settle": "300ms"}
    tasks.add("lagging", "dns_records", fails=True, records=www, **lagging)
    tasks.add("settle", "dns_records", fails=True, records=www, settle="soon")
    tasks.add("signed by a secret", "dns_zone_info", key=given)
    played = play(tasks.file(), "-vvv")
    assert played.code == 0, played.text
    assert secret not in played.text
    for when in ("foretold", "done"):
        for name, words in {
            "topology's": "of topology web",
            "mistakes": "the task has 2 mistakes",
            "badkey": "BADKEY",
            "notauth": "NOTAUTH",
        }.items():
            told = played.task(f"{name}, {when}")
            assert "error" in told, name
            assert words in told["msg"]
            assert not told["changed"]
    assert "port 54" in played.task("unreachable")["msg"]
    lagged = played.task("lagging")
    assert lagged["changed"], "the update is done, and the task says so"
    assert lagged["error"]["done"] == [f"create rrset {ZONE} www A"]
    assert "such as 2s" in played.task("settle")["msg"]
    signed = played.task("signed by a secret")
    assert {"name": "www", "type": "A", "ttl": 300, "values": ["192.0.2.1"]} in signed["records"]
