from __future__ import annotations

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.dns.names import MARK_OCTETS, absolute, owner_name, value_name, zone_name

ZONE = "example.test"
LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True).filter(
    lambda one: one != "_lbkit"
)


@given(labels=st.lists(LABELS, min_size=1, max_size=5), wild=st.booleans(), upper=st.booleans())
def test_a_name_is_the_same_relative_whole_and_in_capitals(labels, wild, upper) -> None:
    name = ".".join(["*", *labels] if wild else labels)
    if f".{name}".endswith(f".{ZONE}"):
        return
    written = name.upper() if upper else name
    assert owner_name(written, ZONE) == name
    assert owner_name(f"{written}.{ZONE}.", ZONE) == name
    assert dns.name.from_text(absolute(name, ZONE)).is_subdomain(dns.name.from_text(ZONE))


@given(st.text(max_size=300))
def test_whatever_is_accepted_is_a_name_that_a_message_can_hold(text: str) -> None:
    for check in (
        lambda: absolute(owner_name(text, ZONE), ZONE),
        lambda: value_name(text, ZONE),
        lambda: zone_name(text),
    ):
        try:
            name = check()
        except ValueError:
            continue
        wire = dns.name.from_text(name).to_wire()
        assert len(wire) <= 255
        assert name == name.lower()
        assert not set(name) & set(' "\\;\n\t/()@$')


@pytest.mark.parametrize("text", ["@", "example.test.", "EXAMPLE.test."])
def test_the_apex_has_its_sign(text: str) -> None:
    assert owner_name(text, ZONE) == "@"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "labels of 1 to 63"),
        ("a..b", "labels of 1 to 63"),
        ("-a", "labels of 1 to 63"),
        ("x" * 64, "labels of 1 to 63"),
        ("a b", "labels of 1 to 63"),
        ("a\nb", "labels of 1 to 63"),
        ("a/b", "labels of 1 to 63"),
        ("x.*", "labels of 1 to 63"),
        ("bücher", "xn--"),
        ("shop.other.test.", "a name in the zone example.test"),
        ("notexample.test.", "a name in the zone example.test"),
        ("shop.example.test", r"\('shop'\)"),
        ("a._lbkit", "owner marks"),
        ("_lbkit", "owner marks"),
        (".".join(["a" * 60] * 4), "at most 242 octets"),
    ],
)
def test_what_is_no_name_of_the_zone_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        owner_name(text, ZONE)


def test_the_longest_name_leaves_room_for_its_owner_mark() -> None:
    zone = ".".join(["z" * 61] * 3)
    room = 255 - MARK_OCTETS - len(zone) - 2
    name = owner_name("a" * (room - 1), zone)
    dns.name.from_text(f"cname.{name}._lbkit.{zone}")
    with pytest.raises(ValueError, match="octets"):
        owner_name("a" * room, zone)


def test_a_name_in_a_value_says_where_it_ends() -> None:
    assert value_name("mail", ZONE) == "mail.example.test."
    assert value_name("mail.other.test.", ZONE) == "mail.other.test."
    assert value_name("@", ZONE) == "example.test."
    assert value_name(".", ZONE) == "."
    with pytest.raises(ValueError, match=r"'mail\.other\.test\.' or 'mail\.other\.test\.example\.test\.'"):
        value_name("mail.other.test", ZONE)
