"""JSON of the other end: what is read of it can be written again, and counted with; all else is Broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.machine.guest import foreign
from lbkit.machine.guest.foreign import read_json
from lbkit.machine.guest.frames import Broken

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.binary(max_size=200) | ANY.map(lambda data: json.dumps(data).encode()))
def test_it_is_read_or_broken_and_can_be_written(content: bytes) -> None:
    try:
        data = read_json(content, "it")
    except Broken:
        return
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()


@given(ANY.filter(lambda data: "NaN" not in json.dumps(data) and "Infinity" not in json.dumps(data)))
def test_what_was_written_is_read(data: Any) -> None:
    assert read_json(json.dumps(data).encode(), "it") == data


@pytest.mark.parametrize(
    "content", [b"Infinity", b"[NaN]", b"1e999", b'{"a": -1e999}', b"[" * 100_000, b"\xff", b"", b"9" * 5000]
)
def test_what_counts_with_nothing_is_broken(content: bytes) -> None:
    with pytest.raises(Broken):
        read_json(content, "it")


@pytest.mark.parametrize(
    ("content", "read"),
    [(rb'"\ud800"', "?"), (rb'"\uDfFf x"', "? x"), (rb'"\ud83d\ude00"', "\N{GRINNING FACE}")],
)
def test_halves_of_pairs_are_no_text(content: bytes, read: str) -> None:
    assert read_json(content, "it") == read


def test_a_long_document_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MOST", 10)
    with pytest.raises(Broken):
        read_json(b"[" + b"1," * 10 + b"1]", "it")
