"""Frames come out as they went in, however they are cut, and whatever stood before the hello."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lbkit.machine.guest.frames import MARK, MOST_CONTENT, Broken, Decoder, Frame, Kind, encode

STEM = MARK[:-1]
HELLO = Frame(Kind.HELLO, 0, b'{"session": "1"}')

nasty = st.lists(
    st.sampled_from([STEM, MARK, MARK[:1], MARK[:3], STEM + b"\x01", b"\n", b"x", bytes(3)])
    | st.binary(max_size=20),
    max_size=8,
).map(b"".join)
frames = st.lists(
    st.builds(
        Frame,
        st.sampled_from([kind for kind in Kind if kind is not Kind.HELLO]),
        st.integers(0, 2**32 - 1),
        nasty,
    ),
    max_size=6,
)


def decoded(decoder: Decoder, data: bytes, cuts: Iterable[int] = ()) -> list[Frame | Broken]:
    found: list[Frame | Broken] = []
    at = 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        found += decoder.feed(data[at:cut])
        at = cut
    return found


def wire(sent: Iterable[Frame]) -> bytes:
    return b"".join(map(encode, sent))


@given(frames, st.lists(st.integers(0, 400), max_size=6))
def test_frames_are_read_as_they_were_written_however_they_are_cut(
    sent: list[Frame], cuts: list[int]
) -> None:
    assert decoded(Decoder(), wire([HELLO, *sent]), cuts) == [HELLO, *sent]


@given(frames, st.integers(0, 600), st.integers(0, 600), frames, st.lists(st.integers(0, 800), max_size=6))
@example([Frame(Kind.DATA, 1, STEM)], 12, 400, [], [])
def test_what_a_kill_cut_off_hides_no_session(
    before: list[Frame], begin: int, end: int, after: list[Frame], cuts: list[int]
) -> None:
    """Any piece of an older session, and then a new one: that one is read from its first byte to its last."""
    stale = wire([HELLO, *before])[begin:end]
    new = Frame(Kind.HELLO, 0, b'{"session": "2"}')
    found = decoded(Decoder(), stale + wire([new, *after]), cuts)
    assert new in found
    assert found[found.index(new) :] == [new, *after]


@given(st.binary(max_size=300), frames)
def test_garbage_hides_no_session(garbage: bytes, after: list[Frame]) -> None:
    found = decoded(Decoder(), garbage + wire([HELLO, *after]))
    assert found[-len(after) - 1 :] == [HELLO, *after]


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
def test_anything_is_read_without_an_exception(data: bytes, cuts: list[int]) -> None:
    decoder = Decoder()
    decoder.feed(encode(HELLO))
    decoded(decoder, data, cuts)


@given(nasty)
def test_no_frame_has_a_mark_inside(content: bytes) -> None:
    sent = encode(Frame(Kind.DATA, 7, content)) + encode(Frame(Kind.END, 7))
    assert MARK not in sent


def test_a_whole_frame_is_not_held_back() -> None:
    """Though it ends as a mark begins: nothing may come after it for long."""
    decoder = Decoder()
    decoder.feed(encode(HELLO))
    for end in range(1, len(MARK)):
        frame = Frame(Kind.DATA, 1, b"x" + MARK[:end])
        assert decoder.feed(encode(frame)) == [frame]


@pytest.mark.parametrize("content", [STEM * (MOST_CONTENT // len(STEM)), b"x" * MOST_CONTENT])
def test_the_largest_frame_arrives(content: bytes) -> None:
    frame = Frame(Kind.DATA, 1, content)
    assert decoded(Decoder(), wire([HELLO, frame]), [5000, 30000, 70000]) == [HELLO, frame]
    with pytest.raises(ValueError):
        encode(Frame(Kind.DATA, 1, b"x" * (MOST_CONTENT + 1)))


def test_what_makes_no_sense_is_told_once_and_passed_over_until_the_next_hello() -> None:
    decoder = Decoder()
    frame = Frame(Kind.DATA, 1, b"x")
    found = decoded(decoder, wire([HELLO, frame]) + b"\0" * 40 + wire([frame]))
    assert found[:2] == [HELLO, frame]
    assert [type(each) for each in found[2:]] == [Broken]
    assert decoder.feed(wire([frame])) == []
    assert decoder.feed(wire([HELLO, frame])) == [HELLO, frame]
