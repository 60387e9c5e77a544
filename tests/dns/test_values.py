from __future__ import annotations

import dns.name
import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.dns.values import TYPES, parse, quoted, read, text_value

ZONE = "example.test"
NUMBERS = st.integers(0, 65535)
WORDS = st.sampled_from(["mail", "mail.other.test.", "@", "MAIL.Other.TEST.", "_x"])
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=600)
WRITTEN = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")),
    st.tuples(st.sampled_from(["CNAME", "NS", "PTR"]), WORDS),
    st.tuples(st.just("MX"), st.builds("{} {}".format, NUMBERS, WORDS)),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, NUMBERS, NUMBERS, NUMBERS, WORDS)),
    st.tuples(
        st.just("CAA"),
        st.builds(
            '{} {} "{}"'.format,
            st.integers(0, 255),
            st.sampled_from(["issue", "ISSUEWILD", "iodef"]),
            st.text("abcXYZ09.:/;=- ", max_size=60),
        ),
    ),
    st.tuples(st.just("TXT"), PRINTABLE),
)


@given(WRITTEN)
def test_a_value_written_sent_and_read_back_is_the_same_text(written: tuple[str, str]) -> None:
    kind, text = written
    value = parse(kind, text, ZONE)
    sent = dns.rdata.from_text("IN", kind, value)
    wire = sent.to_wire()
    back = dns.rdata.from_wire("IN", sent.rdtype, wire, 0, len(wire))
    assert read(kind, back) == value
    assert value.isascii()
    assert value.isprintable()


@given(st.binary(max_size=700))
def test_text_of_any_octets_is_quoted_as_a_zone_file_has_it(octets: bytes) -> None:
    rdata = dns.rdata.from_text("IN", "TXT", text_value(octets))
    assert b"".join(rdata.strings) == octets
    assert all(len(string) <= 255 for string in rdata.strings)
    assert read("TXT", rdata) == text_value(octets)


@given(st.sampled_from(sorted(TYPES)), st.text(max_size=80))
def test_whatever_is_accepted_can_be_sent(kind: str, text: str) -> None:
    try:
        value = parse(kind, text, ZONE)
    except ValueError:
        return
    dns.rdata.from_text("IN", kind, value, dns.name.root)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("A", "2001:db8::1"),
        ("A", "192.0.2.1\n"),
        ("A", "192.0.2.01"),
        ("AAAA", "192.0.2.1"),
        ("AAAA", "fe80::1%eth0"),
        ("TXT", "a\nb"),
        ("TXT", "a\x00b"),
        ("TXT", "x" * 40000),
        ("MX", "mail"),
        ("MX", "70000 mail"),
        ("MX", "-1 mail"),
        ("SRV", "0 5 80"),
        ("SRV", "0 5 99999 a"),
        ("CAA", "256 issue x"),
        ("CAA", "0 is_sue x"),
        ("CAA", '0 issue a"b'),
        ("CNAME", "a.b"),
        ("NS", "a b"),
    ],
)
def test_values_that_are_none_are_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"^[a-z]|^[A-Z]"):
        parse(kind, text, ZONE)


def test_a_quote_and_a_backslash_are_escaped() -> None:
    assert quoted(b'a"\\\xff') == '"a\\"\\\\\\255"'
