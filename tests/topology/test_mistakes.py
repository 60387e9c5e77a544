"""What a person reads who made mistakes: all of them, in the file's order, each with its line and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbkit.base.problems import InvalidDocument, Problem, dotted
from lbkit.topology.load import load_data, load_file, load_text
from tests.topology.rooms import MachineLanguage, NetworkLanguage, registered

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def two_rooms() -> Iterator[None]:
    with registered(NetworkLanguage(), MachineLanguage()):
        yield


def mistakes(text: str) -> list[Problem]:
    with pytest.raises(InvalidDocument) as caught:
        load_text(text, "web.yml", Path("/nowhere"))
    return list(caught.value.problems)


def test_a_file_full_of_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text. Written anew by hand: see that each line helps."""
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(InvalidDocument) as caught:
        load_file(Path("mistakes.yml"))
    assert str(caught.value) + "\n" == (GOLDEN / "mistakes.txt").read_text(encoding="utf-8")


def test_mistakes_as_data() -> None:
    with pytest.raises(InvalidDocument) as caught:
        load_text("lbkit: 1\nname: web\nnetwroks: {}\n", "web.yml", Path("/nowhere"))
    assert caught.value.exit_code == 64
    assert caught.value.as_data()["problems"] == [
        {
            "where": "web.yml:3",
            "path": "netwroks",
            "wanted": "a section that lbkit knows",
            "found": "netwroks",
            "remedy": "did you mean 'networks'?",
        }
    ]


HEAD = "lbkit: 1\nname: web\n"
NETWORK = HEAD + "networks:\n  front: {cidr: 10.80.0.0/24}\n"  # lines 3 and 4
GROUP = NETWORK + "machines:\n  web:\n    networks: front\n"  # lines 5 to 7
SERVICE = GROUP + "    run:\n      - name: app\n        command: [app]\n"  # lines 8 to 10


@pytest.mark.parametrize(
    ("text", "line", "path", "wanted", "found", "remedy"),
    [
        ("name: web\n", 1, "(the document)", "the key 'lbkit'", "it is missing", "begin with `lbkit: 1`"),
        ("lbkit: 1\n", 1, "(the document)", "the key 'name'", "it is missing", "name: web"),
        ("lbkit: '1'\nname: web\n", 1, "lbkit", "version 1", "'1'", "reads version 1"),
        ("lbkit: true\nname: web\n", 1, "lbkit", "version 1", "true", "reads version 1"),
        ("lbkit: 1\nname: -web\n", 2, "name", "a name of 1 to 63", "'-web'", ""),
        ("lbkit: 1\nname: 'a\n\n  b'\n", 2, "name", "a name of 1 to 63", r"'a\nb'", ""),
        ("lbkit: 1\nname: [web]\n", 2, "name", "a name of 1 to 63", "a list", ""),
        (HEAD + "networks:\n", 3, "networks", "a mapping (key: value)", "nothing", ""),
        (HEAD + "networks: [a]\n", 3, "networks", "a mapping (key: value)", "a list", ""),
        (HEAD + "networks:\n  a:\n", 4, "networks.a", "a mapping (key: value)", "nothing", ""),
        (HEAD + "networks:\n  a:\n    nat: true\n", 4, "networks.a", "the key 'cidr'", "it is missing", "The prefix"),
        (HEAD + "networks:\n  A: {cidr: 10.0.0.0/8}\n", 4, "networks.A", "a name of 1 to 63", "'A'", ""),
        (HEAD + "networks:\n  a:\n    cidr: 10.80.0.9/24\n", 5, "networks.a.cidr", "its first address: 10.80.0.0/24", "'10.80.0.9/24'", ""),
        (HEAD + "networks:\n  a:\n    cidr: 10.80.0.9\n", 5, "networks.a.cidr", "prefix such as", "'10.80.0.9'", ""),
        (HEAD + "networks:\n  a:\n    cidr: 10\n", 5, "networks.a.cidr", "prefix such as", "10", ""),
        (HEAD + "networks:\n  a:\n    cidr: 'fe80::%\n\n      x/64'\n", 5, "networks.a.cidr", "prefix such as", r"'fe80::%\nx/64'", ""),
        (HEAD + "networks:\n  a:\n    cidr: []\n", 5, "networks.a.cidr", "at least 1 entry", "an empty list", ""),
        (HEAD + "networks:\n  a:\n    cidr:\n    - 10.0.0.0/24\n    - x\n", 7, "networks.a.cidr[1]", "prefix such as", "'x'", ""),
        (NETWORK + "    \n  b: {cidr: fd00::/64, gateway: [fd00::1, x]}\n", 6, "networks.b.gateway[1]", "address such as", "'x'", ""),
        (HEAD + "networks:\n  a: {cidr: 10.0.0.0/24, gateway: x}\n", 4, "networks.a.gateway", "true or false, or an IPv4", "'x'", ""),
        (HEAD + "networks:\n  a: {cidr: 10.0.0.0/24, mtu: 1.5}\n", 4, "networks.a.mtu", "a whole number", "1.5", ""),
        (HEAD + "networks:\n  a: {cidr: 10.0.0.0/24, mtu: 22:22}\n", 4, "networks.a.mtu", "a whole number", "'22:22'", ""),
        (HEAD + "networks:\n  a: {cidr: 10.0.0.0/24, mtu: 67}\n", 4, "networks.a.mtu", "at least 68", "67", ""),
        (HEAD + "networks:\n  a: {cidr: 10.0.0.0/24, bridge: br 0}\n", 4, "networks.a.bridge", "a link name", "'br 0'", ""),
        (HEAD + "networks:\n  a: {cidr: 10.0.0.0/24, bridge: 7}\n", 4, "networks.a.bridge", "text", "7", "put it in quotes: '7'"),
        (GROUP + "    cuont: 3\n", 8, "machines.web.cuont", "a key that means something here", "cuont", "did you mean 'count'?"),
        (GROUP + "    zzz: 3\n", 8, "machines.web.zzz", "a key that means something here", "zzz", "known here: count, driver"),
        (GROUP + "    count: -1\n", 8, "machines.web.count", "at least 0", "-1", ""),
        (GROUP + "    driver: libvrit\n", 8, "machines.web.driver", "one of 'netns' or 'libvirt'", "'libvrit'", "did you mean 'libvirt'?"),
        (NETWORK + "machines:\n  web:\n    networks: []\n", 7, "machines.web.networks", "at least 1 entry", "an empty list", ""),
        (NETWORK + "machines:\n  web:\n    networks: [front, front]\n", 7, "machines.web.networks", "each network once", "", ""),
        (NETWORK + "machines:\n  web:\n    networks: {front: {address: 10.80.0.9}}\n", 7, "machines.web.networks.front.address", "a key that means", "address", "did you mean 'addresses'?"),
        (GROUP + "    gateway: 7\n", 8, "machines.web.gateway", "text, or false", "7", ""),
        (SERVICE + "        reload: 7\n", 11, "machines.web.run[0].reload", "one of 'HUP', 'INT'", "7", ""),
        (SERVICE + "        reload: TREM\n", 11, "machines.web.run[0].reload", "or a list", "'TREM'", "did you mean 'TERM'?"),
        (SERVICE + "        reload: [app, true]\n", 11, "machines.web.run[0].reload[1]", "text in quotes", "true", ""),
        (SERVICE + '        check: ["a\\nb"]\n', 11, "machines.web.run[0].check[0]", "without control characters", r"'a\nb'", ""),
        (SERVICE + "        ready: {port: 0}\n", 11, "machines.web.run[0].ready.port", "at least 1", "0", ""),
        (SERVICE + "        user: Root\n", 11, "machines.web.run[0].user", "a user's name", "'Root'", ""),
        (SERVICE + "        environment: {1A: x}\n", 11, "machines.web.run[0].environment.1A", "a variable's name", "'1A'", ""),
        (SERVICE + "        files: {../x: {content: x}}\n", 11, "machines.web.run[0].files.../x", "does not climb", "'../x'", ""),
        (SERVICE + "        files: {/x: {content: x}}\n", 11, "machines.web.run[0].files./x", "does not climb", "'/x'", ""),
        (SERVICE + "        files: {x: {}}\n", 11, "machines.web.run[0].files.x", "either content or source", "", ""),
        (SERVICE + "        files: {x: {content: x, mode: 0o644}}\n", 11, "machines.web.run[0].files.x.mode", "three octal digits in quotes, such as '0644'", "0o644", ""),
        (SERVICE + "        files: {x: {content: x, mode: '0999'}}\n", 11, "machines.web.run[0].files.x.mode", "three octal digits", "'0999'", ""),
        (GROUP + "    run: [{command: [x]}]\n", 8, "machines.web.run[0]", "the key 'name'", "it is missing", ""),
        (GROUP + "    run: {name: x}\n", 8, "machines.web.run", "a list", "a mapping", ""),
    ],
)  # fmt: skip
def test_one_mistake(text: str, line: int, path: str, wanted: str, found: str, remedy: str) -> None:
    (problem,) = mistakes(text)
    assert problem.where == f"web.yml:{line}"
    assert dotted(problem.path) == path
    assert wanted in problem.wanted
    assert problem.found == found
    assert remedy in problem.remedy
    for jargon in ("pydantic", "validation", "dict", "tuple", "str ", "constrained", "Input"):
        assert jargon not in problem.wanted


def test_sound_entries_are_checked_on_beside_broken_ones() -> None:
    """A typo in one network hides neither the clash of two others nor what is wrong with a group on them."""
    found = mistakes(
        HEAD + "networks:\n  a: {cidr: x}\n  b: {cidr: 10.0.0.0/24}\n  c: {cidr: 10.0.0.0/25}\n"
        "machines:\n  on-a: {networks: a}\n  on-d: {networks: dd}\n"
    )
    assert [(dotted(one.path), one.where) for one in found] == [
        ("networks.a.cidr", "web.yml:4"),
        ("networks.c.cidr", "web.yml:6"),
        ("machines.on-d.networks.dd", "web.yml:9"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "network:\n  front: {cidr: 10.0.0.0/24}\nmachines:\n  web: {networks: front}\n", 3),
        (HEAD + "networks: 3\nmachines:\n  web: {networks: front}\n", 3),
        (HEAD + "networks:\n  front: {cidr: 3}\nmachines:\n  web: {networks: front, gateway: front}\n", 4),
    ],
)
def test_what_hangs_on_a_mistake_is_no_mistake_of_its_own(text: str, line: int) -> None:
    (problem,) = mistakes(text)
    assert problem.where == f"web.yml:{line}"


def test_data_has_paths_without_lines() -> None:
    with pytest.raises(InvalidDocument) as caught:
        load_data({"lbkit": 1, "name": "web", "networks": {"a": {"cidr": 3}}}, Path("/nowhere"))
    (problem,) = caught.value.problems
    assert (problem.where, dotted(problem.path)) == ("the topology", "networks.a.cidr")


def test_very_many_mistakes_are_said_up_to_a_point() -> None:
    found = mistakes(HEAD + "networks:\n" + "".join(f"  n{i}: {{cidr: {i}}}\n" for i in range(5000)))
    assert 100 <= len(found) <= 501
    assert "more of this section are not shown" in found[0].wanted


def test_two_lines_of_the_same_alias_point_at_its_text() -> None:
    found = mistakes(
        HEAD + "x-net: &net\n  cidr: nonsense\nnetworks:\n  a: *net\n  b:\n    <<: *net\n    mtu: 1400\n"
    )
    assert [(dotted(one.path), one.where) for one in found] == [
        ("networks.a.cidr", "web.yml:4"),
        ("networks.b.cidr", "web.yml:4"),
    ]
