"""What PEM files are understood to hold, and what is said of those that can't be meant."""

from __future__ import annotations

import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.haproxy.resolve.pem import bundle, roots
from tests.haproxy.tls.authority import Authority, Issued, new_key, pem_of

ROOT = Authority()
UPPER = Authority("Upper", ROOT)
LOWER = Authority("Lower", UPPER)
SHOP = LOWER.issue("shop.example.org", "*.shop.example.org")


def certificates(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem)


@given(st.randoms(use_true_random=False))
def test_the_order_within_files_makes_no_difference(chance: random.Random) -> None:
    parts = [SHOP.pem, LOWER.pem, UPPER.pem, ROOT.pem, SHOP.key_pem]
    chance.shuffle(parts)
    found = bundle(b"some words\n".join(parts))
    assert certificates(found.pem) == [SHOP.certificate, LOWER.certificate, UPPER.certificate]
    assert load_pem_private_key(found.pem, None).private_numbers() == SHOP.key.private_numbers()  # type: ignore[union-attr]
    assert found.fingerprint == SHOP.fingerprint


def test_names_are_those_that_haproxy_takes() -> None:
    issued = ROOT.issue("B.example.org", "a.example.org", common="Common.example.org")
    assert bundle(issued.pem + issued.key_pem).names == (
        "b.example.org",
        "a.example.org",
        "common.example.org",
    )


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_the_kind_of_its_key_is_known(kind: str) -> None:
    issued = ROOT.issue("a.example.org", kind=kind)  # type: ignore[arg-type]
    assert bundle(issued.pem + issued.key_pem).kind == kind


def test_a_certificate_that_vouches_for_itself_is_its_own_chain() -> None:
    own = Authority("self.example.org")
    found = bundle(own.pem + pem_of(own.key))
    assert certificates(found.pem) == [own.certificate]


OTHER = ROOT.issue("other.example.org")
MISTAKES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b" \n", "a certificate in PEM", "an empty file"),
    "no PEM": (b"\x00\x01", "a certificate in PEM", "no PEM"),
    "something else": (
        b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n",
        "a certificate in PEM",
        "PEM of something else",
    ),
    "a key alone": (SHOP.key_pem, "a certificate in PEM", "a private key alone"),
    "no key": (SHOP.pem, "one private key", "a certificate without a private key"),
    "two keys": (SHOP.pem + SHOP.key_pem + OTHER.key_pem, "one private key", "2 private keys"),
    "another's key": (SHOP.pem + OTHER.key_pem, "that it belongs to", "a key of none of CN=shop.example.org"),
    "an encrypted key": (
        SHOP.pem + pem_of(SHOP.key, b"secret words"),
        "without a passphrase",
        "an encrypted one",
    ),
    "a broken key": (
        SHOP.pem + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "a private key in PEM",
        "one that cannot be read",
    ),
    "a broken certificate": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + SHOP.key_pem,
        "certificates in PEM",
        "one that cannot be read",
    ),
    "a stranger in the chain": (
        SHOP.pem + LOWER.pem + Authority("Stranger").pem + SHOP.key_pem,
        "no others",
        "CN=Stranger",
    ),
    "a gap in the chain": (SHOP.pem + UPPER.pem + SHOP.key_pem, "no others", "CN=Upper"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_meant_is_said_and_shows_no_key(name: str) -> None:
    content, wanted, found = MISTAKES[name]
    with pytest.raises(Mistake) as caught:
        bundle(content)
    assert wanted in caught.value.wanted
    assert found in caught.value.found
    lines = [line for line in SHOP.key_pem.decode().splitlines() if "-" not in line]
    assert not any(line in str(caught.value) for line in lines)


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_whatever_is_in_a_file_is_a_bundle_or_a_mistake(noise: bytes, at: int) -> None:
    whole = SHOP.pem + SHOP.key_pem
    content = whole[:at] + noise + whole[at + len(noise) :]
    try:
        found = bundle(content)
    except Mistake:
        return
    assert load_pem_private_key(found.pem, None).private_numbers() == SHOP.key.private_numbers()  # type: ignore[union-attr]


def test_authorities_are_certificates_each_once() -> None:
    found = roots(ROOT.pem + b"\n# words\n" + UPPER.pem + ROOT.pem)
    assert certificates(found.pem) == [ROOT.certificate, UPPER.certificate]
    assert len(set(found.fingerprints)) == 2
    assert found.not_after == min(each.certificate.not_valid_after_utc for each in (ROOT, UPPER))


def test_a_key_among_authorities_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="without a private key"):
        roots(ROOT.pem + pem_of(ROOT.key))


def test_a_key_of_another_kind_is_taken_too() -> None:
    key = new_key("RSA")
    issued = Issued(ROOT.issue("a.example.org", kind="RSA").certificate, key)
    assert bundle(issued.pem + issued.key_pem).kind == "RSA"
