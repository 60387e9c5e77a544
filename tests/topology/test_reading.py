"""What a text means: YAML by its 1.2 core schema, JSON by its own rules, and never anything but a Mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.base.problems import InvalidDocument
from lbkit.machine.resolve import Machines
from lbkit.topology.data import read_data
from lbkit.topology.json_text import read_json
from lbkit.topology.load import load_data, load_file, load_text
from lbkit.topology.yaml_text import read_yaml
from tests.topology.rooms import MachineLanguage, NetworkLanguage, registered

NOWHERE = Path("/nowhere")


@pytest.fixture(autouse=True, scope="module")
def two_rooms() -> Iterator[None]:
    with registered(NetworkLanguage(), MachineLanguage()):
        yield


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("NO", "NO"), ("y", "y"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"),
        ("~", None), ("", None), ("null", None), ("nil", "nil"),
        ("0", 0), ("-7", -7), ("+7", 7), ("12345678901234567890123", 12345678901234567890123),
        ("0644", "0644"), ("-07", "-07"), ("0o644", 420), ("0x1F", 31), ("1_000", "1_000"),
        ("1.10", 1.1), ("-.5", "-.5"), ("1e3", "1e3"), ("1.5e+3", 1500.0), ("1.", 1.0), (".", "."), ("-x", "-x"),
        ("22:22", "22:22"), ("12:30:45", "12:30:45"), ("::1", "::1"), ("2001-12-14", "2001-12-14"),
        ("10.80.0.0/24", "10.80.0.0/24"), ("\u0661", "\u0661"), ("=", "="),
        ("'7'", "7"), ('"\\u00e9\\n"', "é\n"), ("! 7", "7"), ("!!str 7", "7"), ("!!float 7", 7), ("!!int '7'", 7),
        ("|\n  a\n  b\n", "a\nb\n"), (">\n  a\n  b\n", "a b\n"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    document = read_yaml(f"key: {text}\n", "x.yml")
    assert not document.problems
    assert document.plain == {"key": value}
    assert type(document.plain["key"]) is type(value) or isinstance(document.plain["key"], type(value))


@pytest.mark.parametrize("key", ["on", "yes", "1", "0x1F", "1.10", "null", "~", "'on'", "22:22"])
def test_keys_are_text(key: str) -> None:
    assert read_yaml(f"{{{key}: 1}}", "x.yml").plain == {key.strip("'"): 1}


def test_numbers_in_a_command_stay_as_written() -> None:
    scope = load_text(
        "lbkit: 1\nname: web\nnetworks: {on: {cidr: 10.0.0.0/24, nat: yes}}\n"
        "machines: {no: {networks: on, run: [{name: a, environment: {X: 0x1F},"
        " command: [a, 0x1F, 1.10, 0022, 22:22, 1e3, -1, on]}]}}\n",
        "x.yml",
        NOWHERE,
    )
    (service,) = scope.of("machine", Machines).by_name["no"].services
    assert service.command == ("a", "0x1F", "1.10", "0022", "22:22", "1e3", "-1", "on")
    assert service.environment == {"X": "0x1F"}
    assert scope.of("network", object).by_name["on"].nat is True  # type: ignore[attr-defined]


def test_merges_and_aliases() -> None:
    document = read_yaml(
        "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\none: {<<: *x, a: 0}\ntwo: {<<: [*x, *y]}\n"
        "'<<': text\nnested:\n  - &z [1]\n  - *z\n",
        "x.yml",
    )
    assert not document.problems
    assert document.plain["one"] == {"a": 0, "b": 2}
    assert document.plain["two"] == {"a": 1, "b": 2, "c": 4}
    assert document.plain["<<"] == "text"
    assert document.plain["nested"] == [[1], [1]]
    assert document.line(("two", "c")) == 2
    assert document.line(("nested", 1, 0)) == 7


def test_lines() -> None:
    document = read_yaml(
        "a:\n  b:\n    - x\n\n    - c: 1\n      d: >-\n        y\n  e: {f: 2,\n    g: 3}\n", "x.yml"
    )
    for path, line in (
        ((), 1),
        (("a",), 1),
        (("a", "b"), 2),
        (("a", "b", 0), 3),
        (("a", "b", 1), 5),
        (("a", "b", 1, "d"), 6),
        (("a", "e"), 8),
        (("a", "e", "g"), 9),
        (("a", "missing", "deep"), 1),
        (("a", "b", 7), 2),
    ):
        assert document.line(path) == line
    assert document.find(("a", "b", 7)) is None
    assert document.find(("a", "missing", "deep")) is None


OCTAL = re.compile(r"(?<![^\s:-])0o[0-7]")
documents = st.dictionaries(
    st.text(),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**38), 10**38)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)


@given(data=documents, indent=st.sampled_from([None, 0, 3, "\t"]), ascii_only=st.booleans())
@example(data={"emoji": "\U0001f600", "slash": "/", "e": 1e300, "n": -0.0}, indent=None, ascii_only=True)
def test_json_means_what_json_means(
    data: dict[str, Any], indent: int | str | None, *, ascii_only: bool
) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    document = read_json(text, "x.json")
    assert not document.problems
    assert document.plain == json.loads(text)


@given(documents)
def test_yaml_that_a_program_wrote_means_the_same(data: dict[str, Any]) -> None:
    """PyYAML quotes what 1.1 would misread; read by 1.2 it is the same. Octal numbers aside, which 1.1 writes 0644."""
    text = yaml.safe_dump(data, allow_unicode=True)
    try:
        document = read_yaml(text, "x.yml")
    except InvalidDocument:
        assert "\\" in text, "an escape of a character that YAML has not"
        return
    assert not document.problems
    if not OCTAL.search(text):
        assert document.plain == yaml.safe_load(text)


@given(documents)
def test_data_is_taken_as_it_is(data: dict[str, Any]) -> None:
    document = read_data(data, "data")
    assert not document.problems
    assert document.plain == data


yaml_soup = st.text(
    st.sampled_from(list("ab:-[]{},&*!|>'\"#%@`? \n\t<~.0123456789\\xé\x00\x85\u2028")), max_size=80
)
topologies = st.fixed_dictionaries(
    {"lbkit": st.just(1), "name": st.just("web")},
    optional={
        "networks": st.dictionaries(
            st.sampled_from(["front", "back", "lo", "x" * 20, "A"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "cidr": st.sampled_from(
                        ["10.0.0.0/24", "10.0.0.0/30", "fd00::/64", "0.0.0.0/0", "x", 7, None]
                    )
                    | st.lists(st.sampled_from(["10.0.0.0/24", "fd00::/64", "10.0.0.0/32"]), max_size=3),
                    "gateway": st.booleans()
                    | st.sampled_from(["10.0.0.1", "10.0.0.255", ["fd00::1"], [], "no"]),
                    "nat": st.booleans() | st.text(max_size=3),
                    "mtu": st.integers(0, 70000),
                    "bridge": st.text(max_size=20),
                    "zzz": st.none(),
                },
            )
            | st.none(),
            max_size=3,
        ),
        "machines": st.dictionaries(
            st.sampled_from(["web", "web-1", "lb", "x" * 62]),
            st.fixed_dictionaries(
                {"networks": st.lists(st.sampled_from(["front", "back", "nowhere"]), max_size=3)},
                optional={
                    "count": st.integers(-1, 300) | st.text(max_size=2),
                    "gateway": st.sampled_from(["front", "nowhere", False, True, None, 3]),
                    "routes": st.lists(
                        st.fixed_dictionaries(
                            {
                                "to": st.sampled_from(["0.0.0.0/0", "10.0.0.0/24", "::/0", "x"]),
                                "via": st.sampled_from(["10.0.0.1", "fd00::1", "10.9.9.9"]),
                            }
                        ),
                        max_size=3,
                    ),
                    "run": st.lists(
                        st.fixed_dictionaries(
                            {
                                "name": st.sampled_from(["app", "haproxy-x", ""]),
                                "command": st.lists(st.text(max_size=3), max_size=2) | st.text(max_size=3),
                            },
                            optional={
                                "files": st.dictionaries(
                                    st.sampled_from(["a", "a/b", "../a", "log"]),
                                    st.sampled_from([{"content": "x"}, {"source": "x"}, {}, None]),
                                    max_size=3,
                                )
                            },
                        ),
                        max_size=2,
                    ),
                },
            ),
            max_size=3,
        ),
    },
)


def only_a_mistake(load: Any) -> None:
    try:
        load()
    except Mistake as error:
        text = str(error)
        assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
        json.dumps(error.as_data())


@settings(max_examples=300)
@given(yaml_soup)
def test_any_text_is_read_or_is_a_mistake(text: str) -> None:
    only_a_mistake(lambda: load_text(text, "x.yml", NOWHERE))
    only_a_mistake(lambda: load_text("lbkit: 1\nname: web\nmachines:\n " + text, "x.yml", NOWHERE))


@given(st.text() | st.text(st.sampled_from(list('{}[]",:\\u0123d8e-+.\n tfn'))))
def test_any_json_is_read_or_is_a_mistake(text: str) -> None:
    only_a_mistake(lambda: load_text(text, "x.json", NOWHERE))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_are_a_mistake(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(content)
    only_a_mistake(lambda: load_file(path))


@settings(max_examples=300)
@given(topologies | documents | documents.map(lambda data: {"lbkit": 1, "name": "web", "machines": data}))
def test_any_data_is_a_topology_or_a_mistake(data: dict[str, Any]) -> None:
    only_a_mistake(lambda: load_data(data, NOWHERE))


@given(topologies)
def test_yaml_json_and_data_say_the_same(data: dict[str, Any]) -> None:
    def outcome(load: Any) -> object:
        try:
            scope = load()
        except InvalidDocument as error:
            return sorted((str(one.path), one.wanted, one.found) for one in error.problems)
        return scope.resolved

    as_data = outcome(lambda: load_data(data, NOWHERE))
    assert outcome(lambda: load_text(json.dumps(data), "x.json", NOWHERE)) == as_data
    assert outcome(lambda: load_text(yaml.safe_dump(data, sort_keys=False), "x.yml", NOWHERE)) == as_data
