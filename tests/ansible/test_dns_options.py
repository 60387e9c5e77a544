"""dns_records where sets stand otherwise, and where no zone is said, in a real play against a real named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbkit.dns.keygen import write_key
from tests.ansible.conftest import Play
from tests.ansible.foretelling import foretold
from tests.ansible.test_dns_modules import Tasks
from tests.dns.named import ZONE, Named, running

pytestmark = pytest.mark.sandbox

RECORDS = """
old 600 A 192.0.2.99
gone NS ns.other.test.
"""


@pytest.fixture
def server(netns: None, tmp_path: Path) -> Iterator[Named]:
    write_key(tmp_path / "tsig.key")
    with running(Named(tmp_path / "ns", tmp_path / "tsig.key", records=RECORDS)) as named:
        yield named


def of(name: str, *values: str) -> dict[str, Any]:
    return {"name": f"{name}.{ZONE}.", "type": "A", "values": list(values)}


@pytest.mark.foretells("dns_records")
def test_sets_that_stand_otherwise_are_kept_and_the_zone_is_found(
    play: Play, server: Named, tmp_path: Path
) -> None:
    tasks = Tasks(tmp_path)
    some: dict[str, Any] = {"zone": None, "records": [of("old", "192.0.2.1"), of("new", "192.0.2.1")]}
    more: dict[str, Any] = {"values": "append", "records": [of("old", "192.0.2.1"), of("newer", "192.0.2.1")]}
    tasks.add("before", "dns_zone_info")
    for check in (True, False):
        when = "foretold" if check else "done"
        tasks.add(f"fail, {when}", "dns_records", check=check, fails=True, on_existing="fail", **some)
        tasks.add(f"keep, {when}", "dns_records", check=check, on_existing="keep", **some)
        tasks.add(f"append, {when}", "dns_records", check=check, on_existing="keep", **more)
        tasks.add(f"after, {when}", "dns_zone_info")
    tasks.add("keep, again", "dns_records", on_existing="keep", **some)
    tasks.add("replace", "dns_records", **some)
    played = play(tasks.file(), "--diff")
    assert played.code == 0, played.text
    untouched = played.task("before")["records"]
    note = "stands otherwise, and stays so: old A, with TTL 600 and 192.0.2.99"
    for name, made in {"keep": "new", "append": "newer"}.items():
        foreseen, done = played.task(f"{name}, foretold"), played.task(f"{name}, done")
        after = played.task("after, foretold")["records"]
        foretold("dns_records", foreseen, done, before=untouched, after=after, parts=("zone",))
        assert done["zone"] == ZONE
        assert done["plan"]["notes"] == [note]
        assert [change["resource"]["name"] for change in done["plan"]["changes"]] == [f"{ZONE} {made} A"]
    for when in ("foretold", "done"):
        failed = played.task(f"fail, {when}")
        assert failed["error"]["error"] == "StandsOtherwise"
        assert failed["error"]["found"] == "old A, with TTL 600 and 192.0.2.99"
        assert not failed["changed"]
    old = {"name": "old", "type": "A", "ttl": 600, "values": ["192.0.2.99"]}
    assert old in played.task("after, done")["records"]
    again = played.task("keep, again")
    assert not again["changed"]
    assert again["plan"]["notes"] == [note]
    assert [change["action"] for change in played.task("replace")["plan"]["changes"]] == ["update"]


def test_a_zone_that_cannot_be_found_fails_the_task_with_words(
    play: Play, server: Named, tmp_path: Path
) -> None:
    tasks = Tasks(tmp_path)
    wrong = {
        "relative": ([of("www", "192.0.2.1"), {**of("", "192.0.2.1"), "name": "www"}], "ends with a dot"),
        "elsewhere": ([{**of("", "192.0.2.1"), "name": "www.other.test."}], "say `zone`"),
        "delegated": ([of("x.gone", "192.0.2.1")], f"delegates gone.{ZONE}"),
        "none": ([], "no record"),
    }
    for name, (records, _) in wrong.items():
        tasks.add(name, "dns_records", fails=True, zone=None, records=records)
    absent: dict[str, Any] = {"state": "absent", "records": [of("old", "192.0.2.1")]}
    tasks.add("absent", "dns_records", fails=True, on_existing="keep", **absent)
    tasks.add("no zone to tell of", "dns_zone_info", fails=True, zone=None)
    played = play(tasks.file())
    assert played.code == 0, played.text
    for name, (_, words) in wrong.items():
        told = played.task(name)
        assert not told["changed"]
        assert words in f"{told['msg']} {told['error'].get('problems')}", name
    assert "state absent" in str(played.task("absent")["error"]["problems"])
    assert "zone" in played.task("no zone to tell of")["msg"]
