"""Maps and ACLs' lists of a HAProxy that runs, of both versions: what is planned is done, and lasts where it is to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbkit.base.errors import Failure, Mistake
from lbkit.engine.applying import PlanChanged
from lbkit.haproxy.direct import entries as pure
from lbkit.haproxy.direct import map_file
from lbkit.haproxy.direct.entries import MapEntry, Pair, WantedEntries
from lbkit.haproxy.direct.maps import apply_map, plan_map
from lbkit.haproxy.direct.stepping import Stopped
from tests.haproxy.bare import Bare, running
from tests.haproxy.versions import VERSIONS, program

MAP, ACL, IPS = "routes.map", "deny.acl", "ips.acl"
CONFIG = """
    stats socket unix@reader.sock mode 600 level operator
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend f
    bind 127.0.0.1:9101
    http-request deny if { path -f deny.acl }
    http-request deny if { src -f ips.acl }
    http-request return status 200 content-type text/plain lf-string %[path,map(routes.map,none)]
"""
FILE = "# routes of the shop\n/a one\n/b two words\n/b shadowed\n\n # the last\n/c three\n"
LOADED = [("/a", "one"), ("/b", "two words"), ("/b", "shadowed"), ("#", "the last"), ("/c", "three")]

PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["x", "y", "x << y; z"])), max_size=7)

real = pytest.mark.sandbox


@pytest.fixture(params=VERSIONS)
def haproxy(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bare]:
    (tmp_path / MAP).write_text(FILE)
    (tmp_path / MAP).chmod(0o640)
    (tmp_path / ACL).write_text("/secret\n/x y\n")
    (tmp_path / IPS).write_text("192.0.2.0/24\n")
    with running(program(request.param), tmp_path, CONFIG) as made:
        yield made


def at(haproxy: Bare) -> str:
    return str(haproxy.folder / "runtime.sock")


def of(haproxy: Bare, kind: str = "map", name: str = MAP) -> list[Pair]:
    lines = haproxy.ask(f"show {kind} {name}").splitlines()
    words = [line.partition(" ")[2] for line in lines]
    return [
        (word, "") if kind == "acl" else (word.partition(" ")[0], word.partition(" ")[2]) for word in words
    ]


def wanted(*pairs: tuple[str, str | None], name: str = MAP, **more: object) -> WantedEntries:
    return WantedEntries(name, tuple(MapEntry(*pair) for pair in pairs), **more)  # type: ignore[arg-type]


def carried_out(haproxy: Bare, want: WantedEntries) -> list[str]:
    """The steps. What was planned is what was done, looking changes nothing, and a second plan is empty."""
    kind = "acl" if want.name in {ACL, IPS} else "map"
    before = of(haproxy, kind, want.name)
    planned = plan_map(at(haproxy), want)
    assert of(haproxy, kind, want.name) == before
    done = apply_map(at(haproxy), want, promised=planned)
    assert done.as_data() == planned.as_data()
    assert not plan_map(at(haproxy), want)
    return [step for change in done.changes for step in change.steps]


@real
def test_the_whole_is_replaced_at_once_and_kept_in_its_order(haproxy: Bare) -> None:
    assert of(haproxy) == LOADED
    entries = [(f"/{number}", f"value {number} << ; \\") for number in range(3000, 0, -1)]
    entries += [("/twice", "first"), ("/twice", "second")]
    steps = carried_out(haproxy, wanted(*entries, exclusive=True))
    assert steps == [f"prepare map {MAP}", f"add map @new {MAP}: 3002 entries", f"commit map @new {MAP}"]
    assert of(haproxy) == entries
    assert asked(haproxy, "/twice") == "first"
    assert carried_out(haproxy, wanted(exclusive=True))[1].endswith("0 entries")
    assert of(haproxy) == []


@real
def test_one_command_is_given_where_one_is_enough(haproxy: Bare) -> None:
    changed = [*LOADED[:3], ("/c", "four")]
    assert carried_out(haproxy, wanted(("/a", "one"), ("/b", "two"), exclusive=True))[0].startswith("prepare")
    assert carried_out(haproxy, wanted(("/a", "one"), ("/b", "x; y"), exclusive=True)) == [
        f"set map {MAP} /b x\\;\\ y"
    ]
    assert asked(haproxy, "/b") == "x; y"
    steps = carried_out(haproxy, wanted(("/a", "one"), ("/b", "x; y"), *changed, exclusive=True))
    assert len(steps) == 1
    assert steps[0].startswith(f"add map {MAP} << (")
    assert of(haproxy) == [("/a", "one"), ("/b", "x; y"), *changed]


@real
def test_single_entries_come_change_and_go_and_others_stay(haproxy: Bare) -> None:
    steps = carried_out(haproxy, wanted(("/new", "n"), ("/c", "four"), ("/b", "two"), ("/a", "one")))
    assert f"set map {MAP} /c four" in steps
    assert of(haproxy) == [
        ("/a", "one"),
        ("/b", "two"),
        ("/b", "two"),
        ("#", "the last"),
        ("/c", "four"),
        ("/new", "n"),
    ]
    # a value that is given is one to be there: another's stays
    assert not plan_map(at(haproxy), wanted(("/a", "other"), ("/none", None), absent=True))
    carried_out(haproxy, wanted(("/a", None), ("/c", "four"), absent=True))
    assert of(haproxy) == [("/b", "two"), ("/b", "two"), ("#", "the last"), ("/new", "n")]
    haproxy.tell(f"add map {MAP} /b three")
    steps = carried_out(haproxy, wanted(("/b", "two"), absent=True))
    assert len(steps) == 2  # by their references: the third entry of the key stays
    assert of(haproxy) == [("#", "the last"), ("/new", "n"), ("/b", "three")]
    carried_out(haproxy, wanted(("/new", "a << b")))
    assert asked(haproxy, "/new") == "a << b"


@real
def test_very_many_changes_of_entries_are_made_at_once_where_others_can_be_said_again(haproxy: Bare) -> None:
    many = [(f"/{number}", "old") for number in range(4000)]
    changed = [(key, "new") for key, _ in many]
    carried_out(haproxy, wanted(*many, exclusive=True))
    haproxy.tell(f"add map {MAP} /foreign x")
    steps = carried_out(haproxy, wanted(*changed))
    assert steps[0] == f"prepare map {MAP}"
    assert of(haproxy) == [*changed, ("/foreign", "x")]


@real
def test_a_list_of_an_acl(haproxy: Bare) -> None:
    carried_out(haproxy, wanted(("/more", None), ("/secret", None), name=ACL))
    assert of(haproxy, "acl", ACL) == [("/secret", ""), ("/x y", ""), ("/more", "")]
    assert carried_out(haproxy, wanted(("/x y", None), name=ACL, absent=True)) == [f"del acl {ACL} /x\\ y"]
    carried_out(haproxy, wanted(("/z", None), ("/secret", None), name=ACL, exclusive=True))
    assert of(haproxy, "acl", ACL) == [("/z", ""), ("/secret", "")]


@real
def test_what_haproxy_refuses_fails_and_leaves_the_old_and_nothing_begun(haproxy: Bare) -> None:
    both = wanted(("10.0.0.0/8", None), ("no address", None), name=IPS, exclusive=True)
    with pytest.raises(Stopped, match=r"not a valid IPv4 or IPv6 address(?s:.*)nothing was changed"):
        apply_map(at(haproxy), both)
    assert of(haproxy, "acl", IPS) == [("192.0.2.0/24", "")]
    assert haproxy.ask(f"show acl @1 {IPS}") == ""
    with pytest.raises(Stopped) as caught:
        apply_map(at(haproxy), replace(both, exclusive=False))
    assert caught.value.as_data()["done"] == [f"add acl {IPS} 10.0.0.0/8"]
    carried_out(haproxy, wanted(("10.0.0.0/8", None), ("10.1.0.0/16", None), name=IPS, exclusive=True))


@real
def test_what_was_begun_by_one_that_was_killed_is_in_nobodys_way(haproxy: Bare) -> None:
    haproxy.ask(f"prepare map {MAP}")
    haproxy.tell(f"add map @1 {MAP} /half done")
    carried_out(haproxy, wanted(("/whole", "done"), ("/other", "too"), exclusive=True))
    assert of(haproxy) == [("/whole", "done"), ("/other", "too")]
    assert haproxy.ask(f"show map @1 {MAP}") == ""


@real
def test_it_outlives_a_restart_where_it_is_to(haproxy: Bare) -> None:
    path = haproxy.folder / "shop.map"
    (haproxy.folder / MAP).rename(path)
    os.symlink("shop.map", haproxy.folder / MAP)
    live = wanted(("/a", "live"))
    assert "live only" in plan_map(at(haproxy), live).notes[0]
    apply_map(at(haproxy), live)
    assert path.read_text() == FILE
    more = [("/a", "kept"), ("/d", "four")]
    kept = wanted(*more, ("/c", "three"), persist=True, folder=haproxy.folder)
    planned = plan_map(at(haproxy), kept)
    assert planned.notes == ()
    assert [str(change) for change in planned.changes] == [f"update map {MAP}", f"update file {path}"]
    carried_out(haproxy, kept)
    assert path.read_text() == FILE.replace("/a one", "/a kept") + "/d four\n"
    assert path.stat().st_mode & 0o777 == 0o640
    path.write_text("# head\n/old x\n")  # by another hand: the next run mends the file alone
    whole = [pair for pair in of(haproxy) if pair[0] != "#"]
    carried_out(haproxy, wanted(*whole, persist=True, folder=haproxy.folder, exclusive=True))
    assert (haproxy.folder / MAP).is_symlink()
    with running(program(haproxy.ask("show version")[:3]), haproxy.folder, CONFIG) as restarted:
        assert of(restarted)[0] == ("/a", "kept")
        assert of(restarted)[-1] == ("/d", "four")
    assert path.read_text().startswith("# head\n/a kept\n")


@real
@pytest.mark.parametrize(
    ("want", "words"),
    [
        (wanted(("/a", "b"), name="route.map"), "did you mean 'routes.map'"),
        (wanted(("/a", "b"), name="deny.acl"), "is a list of an ACL: no values"),
        (wanted(("/a", None)), "the key /a alone"),
        (wanted(("/a b", "c")), "one printable word"),
        (wanted(("#a", "c")), "does not begin with #"),
        (wanted(("/a", "b\nadd map x y z")), "printable text"),
        (wanted(("/a", "x" * 17000)), "fit one command"),
        (wanted(("/a", "b"), ("/a", "c")), "several of /a"),
        (wanted(), "at least one entry"),
        (wanted(("/a", "b"), exclusive=True, absent=True), "found: both"),
        (wanted(("/a", "b"), persist=True), "say `folder`"),
        (wanted(("/a", "b"), persist=True, folder=Path("/nowhere")), "no such file on this host"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_touched(
    haproxy: Bare, want: WantedEntries, words: str
) -> None:
    with pytest.raises((Mistake, Failure), match=words):
        apply_map(at(haproxy), want)
    assert of(haproxy) == LOADED


@real
def test_another_plan_than_the_one_agreed_to_is_not_carried_out(haproxy: Bare) -> None:
    want = wanted(("/n", "x"))
    planned = plan_map(at(haproxy), want)
    haproxy.tell(f"add map {MAP} /n y")
    with pytest.raises(PlanChanged):
        apply_map(at(haproxy), want, promised=planned)
    assert of(haproxy)[-1] == ("/n", "y")


@real
def test_a_socket_that_may_not_change_anything_fails_the_plan_already(haproxy: Bare) -> None:
    with pytest.raises(Failure, match="level operator"):
        plan_map(str(haproxy.folder / "reader.sock"), wanted(("/a", "b")))
    with pytest.raises(Failure, match="No such file"):
        plan_map(str(haproxy.folder / "none.sock"), wanted(("/a", "b")))


@real
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAIRS, PAIRS, st.sampled_from(["present", "exclusive", "absent", "absent keys"]))
def test_any_map_becomes_any_other(haproxy: Bare, first: list[Pair], pairs: list[Pair], how: str) -> None:
    apply_map(at(haproxy), wanted(*first, exclusive=True))
    if how in {"present", "absent keys"}:
        pairs = list(dict(pairs).items()) or [("e", "x")]
    some = [(key, None if how == "absent keys" else value) for key, value in pairs] or [("e", "x")]
    want = wanted(*some, exclusive=how == "exclusive", absent=how.startswith("absent"))
    then = pure.wanted_of(of(haproxy), want)
    carried_out(haproxy, want)
    assert of(haproxy) == then


def asked(haproxy: Bare, path: str) -> str:
    """What a client gets, whose path is looked up in the map."""
    with socket.create_connection(("127.0.0.1", 9101), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        data = b""
        while more := client.recv(4096):
            data += more
    return data.partition(b"\r\n\r\n")[2].decode()


@given(PAIRS, PAIRS)
def test_an_edit_makes_one_of_the_other(have: list[Pair], want: list[Pair]) -> None:
    edit = pure.edit(have, want)
    other = dict(edit.other)
    kept = [(key, other.get(at, value)) for at, (key, value) in enumerate(have) if at not in edit.go]
    assert [*kept, *edit.more] == want


@given(PAIRS, PAIRS, st.sampled_from(["present", "exclusive", "absent"]))
def test_what_is_wanted_is_wanted_no_more_once_it_is_there(
    have: list[Pair], given_pairs: list[Pair], how: str
) -> None:
    want = wanted(*dict(given_pairs).items(), exclusive=how == "exclusive", absent=how == "absent")
    then = pure.wanted_of(have, want)
    assert pure.wanted_of(then, want) == then
    foreign = [pair for pair in have if pair[0] not in dict(given_pairs)]
    assert how == "exclusive" or [pair for pair in then if pair[0] not in dict(given_pairs)] == foreign
    content = "".join(f"{line}\n" for line in pure.lines(have)).encode()
    before, after, written = map_file.edited(content, "map", want)
    assert (before, after) == (have, then)
    assert [line.pair for line in map_file.parse(written.decode(), "map")] == then
    assert map_file.edited(written, "map", want)[2] == written
