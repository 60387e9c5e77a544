"""An authority that issues certificates for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Kind = Literal["EC", "RSA"]
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@lru_cache(maxsize=4)
def _rsa(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def new_key(kind: Kind = "EC") -> Key:
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else _rsa(0)


def pem_of(key: Key, passphrase: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL if not passphrase else PrivateFormat.PKCS8, how
    )


def name_of(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return pem_of(self.key)

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def serial(self) -> int:
        return self.certificate.serial_number

    def write(self, path: Path, *more: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(self.pem + b"".join(more) + self.key_pem)
        return path


class Authority:
    """A root, or one that `above` vouches for."""

    def __init__(self, name: str = "Root", above: Authority | None = None) -> None:
        self.name = name
        self.key: Key = new_key()
        self.above = above
        by = above or self
        self.certificate = _sign(name, self.key, by.name, by.key, ca=True)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, *names: str, common: str | None = None, days: float = 90, kind: Kind = "EC") -> Issued:
        """For `names`; the first of them is the common name too, where no other is given."""
        key = new_key(kind)
        subject = common if common is not None else (names[0] if names else "")
        return Issued(_sign(subject, key, self.name, self.key, names=names, days=days), key)


def _sign(
    subject: str,
    key: Key,
    issuer: str,
    by: Key,
    *,
    names: tuple[str, ...] = (),
    days: float = 3650,
    ca: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(san, critical=False)
    return builder.sign(by, hashes.SHA256())
