"""One form of names and values: what is read of a zone is taken back as it is, and ways to write the same are the same."""

from __future__ import annotations

import dns.name
import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.dns.direct.forms import kind_of, name_of, reading, value_of
from lbkit.dns.direct.server import secondary, tsig_key

ZONE = "example.test"
LABEL = st.binary(min_size=1, max_size=20)


@given(st.lists(LABEL, min_size=1, max_size=4))
def test_any_name_of_a_zone_is_taken_as_it_is_read(labels: list[bytes]) -> None:
    text = dns.name.Name(labels).to_text().lower()
    if text.split(".")[-1] in {"_lbkit", "@", "test"}:
        return
    assert name_of(text, ZONE) == text
    target = dns.name.Name([*labels, b""])
    for kind in ("CNAME", "MX"):
        rdata = dns.rdata.from_text("IN", kind, ("5 " if kind == "MX" else "") + target.to_text())
        value = reading(kind, rdata)
        assert value is not None
        assert value_of(kind, value, ZONE) == value


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4))
def test_any_text_of_a_zone_is_taken_as_it_is_read(strings: list[bytes]) -> None:
    rdata = dns.rdata.from_wire(
        "IN",
        "TXT",
        b"".join(bytes([len(part)]) + part for part in strings),
        0,
        sum(map(len, strings)) + len(strings),
    )
    value = reading("TXT", rdata)
    assert value is not None
    assert value_of("TXT", value, ZONE) == value


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("CNAME", "Shop", f"shop.{ZONE.upper()}."),
        ("MX", "10  @", f"10 {ZONE}."),
        ("SRV", "0 5 80 A", f"0 5 80 a.{ZONE}."),
        ("AAAA", "2001:DB8::0:1", "2001:db8::1"),
        ("TXT", "v=spf1 -all", '"v=spf1 -all"'),
        ("TXT", "back\\slash", '"back\\\\slash"'),
        ("TXT", "b\u00fccher", '"b\\195\\188cher"'),
        ("CAA", "0 Issue ca.test", '0 issue "ca.test"'),
        ("TLSA", "3 1 1 " + "AB" * 32, "3 1 1 " + "ab" * 32),
        ("SSHFP", "1 1 " + "aB" * 20, "1 1 " + "AB" * 20),
        ("DS", "1 8 2 " + "AB" * 32, "1 8 2 " + "ab" * 16 + " " + "ab" * 16),
        ("DNAME", "Other.TEST.", "other.test."),
        ("NAPTR", '10 20 "S" "SIP+D2U" "" _SIP._udp', f'10 20 "S" "SIP+D2U" "" _sip._udp.{ZONE}.'),
        ("HTTPS", "1 . alpn=h2", '1 . alpn="h2"'),
        ("TYPE65280", "\\# 2 ABcd", "\\# 2 abcd"),
        ("PTR", "b\u00fccher", f"xn--bcher-kva.{ZONE}."),
    ],
)
def test_two_ways_to_write_a_value_are_one(kind: str, one: str, other: str) -> None:
    assert value_of(kind, one, ZONE) == value_of(kind, other, ZONE)
    value = value_of(kind, one, ZONE)
    assert reading(kind, dns.rdata.from_text("IN", kind, value)) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("@", f"{ZONE}."),
        ("WWW", f"www.{ZONE.upper()}."),
        ("b\u00fccher", "xn--bcher-kva"),
        ("*.a", f"*.a.{ZONE}."),
        ("a\\.b", "a\\046b"),
    ],
)
def test_two_ways_to_write_a_name_are_one(one: str, other: str) -> None:
    assert name_of(one, ZONE) == name_of(other, ZONE)


def test_types_by_name_and_number() -> None:
    assert kind_of("a") == kind_of("TYPE1") == "A"
    assert kind_of("type65280") == "TYPE65280"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("TXT", '"open'),
        ("TXT", '"a" ; b'),
        ("TLSA", "3 1 1 ab ; cd"),
        ("TXT", '"a\nb"'),
        ("CNAME", "a b"),
        ("MX", "mail"),
        ("A", ""),
        ("TLSA", "3 1"),
        ("MX", ""),
        ("TXT", '"' + "x" * 256 + '"'),
    ],
)
def test_what_is_no_value_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        value_of(kind, text, ZONE)


def test_addresses_of_secondaries() -> None:
    assert [
        str(secondary(text, 53))
        for text in ("192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "[2001:db8::1]")
    ] == [
        "192.0.2.1 port 53",
        "192.0.2.1 port 5353",
        "2001:db8::1 port 53",
        "2001:db8::1 port 5353",
        "2001:db8::1 port 53",
    ]
    for text in ("ns.test", "192.0.2.1:0", "192.0.2.1:x", "[2001:db8::1]x", ""):
        with pytest.raises(Mistake, match="address of a server"):
            secondary(text, 53)


def test_a_key_that_cannot_be_read_is_a_mistake_without_its_secret() -> None:
    for algorithm, secret in (
        ("hmac-sha256", None),
        ("hmac-sha256", "not base64!"),
        ("hmac-md5", "c2VjcmV0"),
    ):
        with pytest.raises(Mistake) as caught:
            tsig_key("lbkit", algorithm=algorithm, secret=secret)
        assert "not base64" not in str(caught.value)
    assert tsig_key("LBKIT.", secret="c2VjcmV0").name == "lbkit"
