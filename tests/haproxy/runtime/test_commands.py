"""Commands are one line and one command, whatever text they are made of; and they know their replies."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Bug
from lbkit.base.secrets import Secret
from lbkit.haproxy.runtime import Command, commands, show
from lbkit.haproxy.runtime.command import LIMIT, word
from lbkit.haproxy.runtime.commands import (
    add_map,
    add_map_entries,
    add_server,
    add_to_crt_list,
    commit_map,
    del_map,
    fits,
    prepare_map,
    set_addr,
    set_cert,
    set_check_port,
    set_map,
    set_server_maxconn,
    set_state,
    set_weight,
    version_created,
)
from tests.haproxy.runtime.peer import as_haproxy_reads

hostile = st.one_of(
    st.text(
        st.one_of(st.characters(codec="utf-8"), st.sampled_from(list("\n\r\t \0;\\<#@*'\"/-:"))), max_size=12
    ),
    st.sampled_from(["web", "certs/a b.pem", "::1", "up", "ready", "a;b", "\\", "c <d"]),
)
numbers = st.one_of(st.integers(), st.none(), st.booleans())

MAKERS = [
    getattr(module, name)
    for module in (commands, show)
    for name, each in vars(module).items()
    if inspect.isfunction(each)
    and inspect.signature(each).return_annotation in {"Command", "Iterator[Command]"}
]


def arguments(maker: Callable[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "str": hostile,
        "int": numbers,
        "bool": st.booleans(),
        "str | None": st.one_of(hostile, st.none()),
        "int | None": numbers,
        "Iterable[str | int]": st.lists(st.one_of(hostile, st.integers()), max_size=4),
        "Iterable[tuple[str, str]]": st.lists(st.tuples(hostile, hostile), max_size=4),
        "tuple[str, ...]": st.lists(hostile, max_size=3).map(tuple),
        "bytes": st.binary(max_size=20),
        "Secret | bytes": st.one_of(st.binary(max_size=20), st.binary(max_size=20).map(Secret)),
    }
    parameters = inspect.signature(maker).parameters.values()
    return st.fixed_dictionaries(
        {each.name: kinds.get(each.annotation, hostile) for each in parameters if each.name != "limit"}
    )


def test_every_maker_is_tried() -> None:
    assert len(MAKERS) > 50


@given(st.sampled_from(MAKERS).flatmap(lambda maker: st.tuples(st.just(maker), arguments(maker))))
def test_no_text_makes_a_second_line_or_command(drawn: tuple[Callable[..., Any], dict[str, Any]]) -> None:
    maker, given_ = drawn
    try:
        made = maker(**given_)
        every: Iterable[Command] = [made] if isinstance(made, Command) else list(made)
    except Bug:
        return
    for command in every:
        ((read, payload),) = as_haproxy_reads(command.wire)
        assert payload == command.payload
        assert len(read) <= 64
        assert str(command).isprintable()
        verb = str(command).split(" ", 2)[:2]
        assert read[:2] == verb


@given(hostile)
def test_no_line_makes_a_second_line_or_command(line: str) -> None:
    try:
        command = Command(line)
    except Bug:
        return
    ((_, payload),) = as_haproxy_reads(command.wire)
    assert payload is None


@given(st.binary(max_size=30))
def test_no_payload_makes_a_second_command(payload: bytes) -> None:
    try:
        command = Command("set ssl cert f", payload=payload)
    except Bug:
        return
    assert as_haproxy_reads(command.wire) == [(["set", "ssl", "cert", "f"], payload)]


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda each: each.isprintable()))
def test_a_printable_word_arrives_as_it_is(value: str) -> None:
    if "<<" in value:
        with pytest.raises(Bug):
            word(value)
        return
    ((read, _),) = as_haproxy_reads(f"x {word(value)} y\n".encode())
    assert read == ["x", value, "y"]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "show info\nset x",
            "a;b",
            "a\0b",
            "set ssl cert <<",
            "a\rb",
            "a\\",
            "a\\\\\\",
            "",
            " ",
            "a ",
            " a",
        ),
        *("a\u2028b", "\x1b[2J", "show\tinfo", "a <<x"),
    ],
)
def test_what_is_no_line_is_a_bug(line: str) -> None:
    with pytest.raises(Bug, match="one line and one command"):
        Command(line)


@pytest.mark.parametrize("payload", [b"", b"\n", b"a\n\nshow info", b"a\n", b"a\r\n\rb", b"\r", b"a\0b"])
def test_a_payload_has_no_empty_line(payload: bytes) -> None:
    with pytest.raises(Bug, match="none of them empty"):
        Command("set ssl cert f", payload=payload)


def test_a_command_fits_the_buffer() -> None:
    assert Command("x" * (LIMIT - 1)).size == LIMIT
    with pytest.raises(Bug, match=f"{LIMIT} bytes"):
        Command("x" * LIMIT)
    with pytest.raises(Bug, match=f"{LIMIT} bytes") as caught:
        set_cert("a.pem", b"secret\n" * 3000)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.integers(LIMIT - 60, LIMIT + 5))
def test_whether_a_certificate_fits_is_known_before(size: int) -> None:
    pem = b"k" * size
    try:
        made = set_cert("certs/a b.pem", pem)
    except Bug:
        assert not fits("certs/a b.pem", pem)
    else:
        assert fits("certs/a b.pem", pem)
        assert made.size <= LIMIT


def test_no_word_is_lost_unheard() -> None:
    assert add_server("web", "s", "10.0.0.1:80", ["weight", 1] * 30)
    with pytest.raises(Bug, match="64 words"):
        add_server("web", "s", "10.0.0.1:80", ["weight", 1] * 31)
    assert Command("a" + r"\ b" * 100)  # one word


@pytest.mark.parametrize(
    "make",
    [
        lambda: set_weight("web", "s", 257),
        lambda: set_weight("web", "s", -1),
        lambda: set_weight("web", "s", True),
        lambda: set_weight("we/b", "s", 1),
        lambda: set_weight("web", "s s", 1),
        lambda: set_addr("web", "s", "10.0.0.1", 99999),
        lambda: set_addr("web", "s", "localhost"),
        lambda: set_addr("web", "s", "fe80::1%eth0"),
        lambda: set_check_port("web", "s", 65536),
        lambda: set_server_maxconn("web", "s", -1),
        lambda: set_state("web", "s", "up"),  # type: ignore[arg-type]
        lambda: add_map("f", "#key", "v"),
        lambda: add_map("f", "a b", "v"),
        lambda: add_map("f", "a", ""),
        lambda: add_map("f", "a", " v"),
        lambda: del_map("#1", "a"),
        lambda: commit_map("@f", 1),
    ],
)
def test_what_haproxy_would_misread_is_a_bug(make: Callable[[], Command]) -> None:
    with pytest.raises(Bug):
        make()


def test_a_plan_shows_the_digest_of_what_is_carried() -> None:
    command = set_cert("certs/a.pem", Secret(b"KEY\n\nMORE\r\n"))
    assert command.payload == b"KEY\nMORE"
    digest = hashlib.sha256(b"KEY\nMORE").hexdigest()[:12]
    assert str(command) == f"set ssl cert certs/a.pem << (sha256:{digest}, 8 bytes)"
    assert str(set_map("m", "a;b", "two words")) == r"set map m a\;b two\ words"
    assert str(add_to_crt_list("l", "a.pem", options="alpn h2", filters=("*.x.org", "!y.x.org"))).startswith(
        "add ssl crt-list l << (sha256:"
    )


@given(st.lists(st.tuples(st.text("ab/:é", min_size=1), st.text("xy é", min_size=1)), max_size=40))
def test_many_entries_go_by_few_commands_in_their_order(entries: list[tuple[str, str]]) -> None:
    entries = [(key, value.strip() or "x") for key, value in entries]
    made = list(add_map_entries("m", entries, version=3, limit=200))
    assert all(
        command.size <= 200 or command.payload.count(b"\n") == 0 for command in made if command.payload
    )
    lines = [line for command in made for line in (command.payload or b"").decode().split("\n")]
    assert [tuple(line.split(" ", 1)) for line in lines] == entries


def test_the_version_that_was_made() -> None:
    assert prepare_map("m").done("New version created: 7")
    assert version_created("New version created: 7") == 7
    with pytest.raises(Bug):
        version_created("no")
