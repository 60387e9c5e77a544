"""What PEM files hold: a certificate with the key that fits it and its chain in order, or authorities. Pure."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from lbkit.base.errors import Mistake

if TYPE_CHECKING:  # slow to import: only a topology that declares certificates pays for it
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_KEY = re.compile(rb"-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL)
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Bundle:
    """`pem`: the certificate, its chain without the root, the key. `names`: those that HAProxy takes from it, in
    lower case. `fingerprint`: SHA-1 of the certificate, upper-case hexadecimal, as `show ssl cert` says it.
    `kind`: of its key, "EC" or "RSA" or another's class name: HAProxy has one of each for a name.
    """

    pem: bytes = field(repr=False)
    fingerprint: str
    names: tuple[str, ...]
    kind: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Roots:
    """`not_after`: when the first of them expires."""

    pem: bytes = field(repr=False)
    fingerprints: tuple[str, ...]
    not_after: datetime


def bundle(content: bytes) -> Bundle:
    """All that was read of one certificate, its files one after the other. Mistake where they are not of one."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    certificates = _certificates(content)
    key = _key(content)
    leaf = _of_key(certificates, key)
    chain = _chain(leaf, certificates)
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, *chain))
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Bundle(
        pem=pem,
        fingerprint=_fingerprint(leaf),
        names=leaf_names(leaf),
        kind=_kind(key),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def roots(content: bytes) -> Roots:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    if _KEY.search(content):
        raise Mistake("certificates of authorities without a private key", found="a private key beside them")
    certificates = list(dict.fromkeys(_certificates(content)))
    return Roots(
        pem=b"".join(each.public_bytes(Encoding.PEM) for each in certificates),
        fingerprints=tuple(map(_fingerprint, certificates)),
        not_after=min(each.not_valid_after_utc for each in certificates),
    )


def _certificates(content: bytes) -> list[x509.Certificate]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.x509 import (  # noqa: PLC0415
        DuplicateExtension,
        InvalidVersion,
        UnsupportedGeneralNameType,
        load_pem_x509_certificates,
    )

    # of the extensions and the version, which are no ValueErrors
    others = (UnsupportedAlgorithm, DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType)

    if _CERTIFICATE not in content:
        raise Mistake("a certificate in PEM", found=_instead(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is odd, but what OpenSSL takes: a serial number of 0
            found = load_pem_x509_certificates(content)
            for each in found:  # they are read as they are asked
                _ = (each.subject, each.issuer, each.extensions, each.not_valid_before_utc)
                _ = (each.not_valid_after_utc, each.public_key())
    except (ValueError, *others) as error:
        raise Mistake(
            "certificates in PEM", found=f"one that cannot be read ({_first_line(error)})"
        ) from error
    return found


def _instead(content: bytes) -> str:
    if not content.strip():
        return "an empty file"
    if _KEY.search(content):
        return "a private key alone"
    return "no PEM" if b"-----BEGIN " not in content else "PEM of something else"


def _key(content: bytes) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    found = list(dict.fromkeys(match[0] for match in _KEY.finditer(content)))
    if len(found) != 1:
        raise Mistake(
            "one private key beside the certificate",
            found=f"{len(found)} private keys" if found else "a certificate without a private key",
            remedy="" if found else "name its file as `key`",
        )
    try:
        # a whole check of an RSA key takes 60 ms, at each plan; that it fits its certificate is seen below
        return load_pem_private_key(found[0], None, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        raise Mistake(
            "a private key without a passphrase: HAProxy starts with nobody there to type it",
            found="an encrypted one",
            remedy="`openssl pkey -in FILE -out NEW` writes it without; mode 600",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        # the library's words could quote what it read
        raise Mistake("a private key in PEM", found="one that cannot be read") from error


def _of_key(certificates: Sequence[x509.Certificate], key: PrivateKeyTypes) -> x509.Certificate:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    mine = key.public_key().public_bytes(*form)
    for each in certificates:
        if each.public_key().public_bytes(*form) == mine:
            return each
    subjects = ", ".join(_subject(each) for each in certificates[:3])
    raise Mistake(
        "a private key and the certificate that it belongs to", found=f"a key of none of {subjects}"
    )


def _chain(leaf: x509.Certificate, certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """From the leaf's issuer upwards. A root is left out: who trusts it has it."""
    rest = [each for each in dict.fromkeys(certificates) if each != leaf]
    chain: list[x509.Certificate] = []
    last = leaf
    while above := next((each for each in rest if _issued(last, each)), None):
        rest.remove(above)
        last = above
        if above.issuer != above.subject:
            chain.append(above)
    if rest:
        raise Mistake(
            "certificates between the certificate and its root, and no others",
            found=", ".join(_subject(each) for each in rest[:3]),
            remedy=f"the certificate of {_subject(leaf)} was issued by {_issuer(leaf)}",
        )
    return chain


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    if below.issuer != above.subject:
        return False
    try:
        below.verify_directly_issued_by(above)
    except InvalidSignature:
        return False
    except (ValueError, TypeError):  # an algorithm that the library does not have: the names say it
        return True
    return True


def leaf_names(leaf: x509.Certificate) -> tuple[str, ...]:
    """The DNS names that it is for, and its common name, in lower case."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    found: list[str] = []
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            found += extension.value.get_values_for_type(x509.DNSName)
    found += [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return tuple(dict.fromkeys(name.lower() for name in found if name.isprintable()))


def _fingerprint(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - as HAProxy names it


def _kind(key: PrivateKeyTypes) -> str:
    return type(key).__name__.removesuffix("PrivateKey").removeprefix("_")


def _subject(certificate: x509.Certificate) -> str:
    return ascii(certificate.subject.rfc4514_string())[1:-1] or "one without a name"


def _issuer(certificate: x509.Certificate) -> str:
    return ascii(certificate.issuer.rfc4514_string())[1:-1] or "one without a name"


def _first_line(error: Exception) -> str:
    return ascii(str(error).partition("\n")[0][:120])[1:-1]
