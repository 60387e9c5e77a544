from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lbkit.base.names import LINK_NAME_BYTES, Label, Printable, RelativePath, link_name

LABEL, PRINTABLE, PATH = TypeAdapter(Label), TypeAdapter(Printable), TypeAdapter(RelativePath)


def takes(adapter: TypeAdapter, text: object) -> bool:
    try:
        return adapter.validate_python(text) == text
    except ValidationError:
        return False


@pytest.mark.parametrize("text", ["a", "0", "web-1", "a" * 63, "xn--e1afmkfd"])
def test_labels(text: str) -> None:
    assert takes(LABEL, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-a",
        "a-",
        "a" * 64,
        "A",
        "a.b",
        "a_b",
        "a b",
        "a\n",
        "\na",
        "a\nserver x 1.2.3.4",
        "é",
        "²",
        "a/b",
        1,
    ],
)
def test_what_no_label_may_be(text: object) -> None:
    assert not takes(LABEL, text)


@given(st.text(max_size=70))
def test_a_label_is_safe_wherever_it_ends_up(text: str) -> None:
    assert takes(LABEL, text) == bool(re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)", text, re.ASCII))


@given(st.text(max_size=50))
def test_printable_is_one_line(text: str) -> None:
    if takes(PRINTABLE, text):
        assert len((text + "x").splitlines()) == 1
        assert not any(ord(char) < 32 or ord(char) == 127 for char in text)


@pytest.mark.parametrize("text", ["named.conf", "a/b/c", "..a", "a..b", ".hidden"])
def test_paths_below_a_folder(text: str) -> None:
    assert takes(PATH, text)


@pytest.mark.parametrize(
    "text", ["", "/etc/passwd", "..", "a/../b", "./a", "a//b", "a/", ".", "a\nb", "a\0b", "x" * 256]
)
def test_paths_that_climb_or_name_no_file(text: str) -> None:
    assert not takes(PATH, text)


@given(st.lists(st.text(min_size=1, max_size=63), min_size=3, max_size=3))
def test_link_names_fit_and_are_stable(parts: list[str]) -> None:
    name = link_name(*parts)
    assert name == link_name(*parts)
    assert re.fullmatch(r"lb[0-9a-f]{10}", name)
    assert len(name) <= LINK_NAME_BYTES


def test_link_names_tell_members_apart() -> None:
    names = {
        link_name("web", f"lb-{index}", network) for index in range(500) for network in ("front", "back")
    }
    assert len(names) == 1000
