"""A certificate with its chain and key, as a person gives it: read, checked, and told of without the key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Mistake
from lbkit.base.files import read_given
from lbkit.base.secrets import Secret, read_secret_file
from lbkit.haproxy.resolve.pem import bundle

_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Given:
    """`pem`: the certificate, its chain without the root, the key. `fingerprint`: SHA-256 of the certificate; `sha1` as
    HAProxy tells it. Both are upper-case hexadecimal. `subject`, and those of the `chain`, as OpenSSL says them on one line.
    """

    pem: Secret
    fingerprint: str
    sha1: str
    subject: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    chain: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """What may be shown."""
        return {
            "fingerprint": self.fingerprint,
            "subject": self.subject,
            "names": list(self.names),
            "not_after": self.not_after.isoformat(),
        }


def read_certificate(
    files: Sequence[Path] = (), content: bytes | None = None, *, clock: Clock | None = None
) -> Given:
    """What `files` have together, or what `content` has: a certificate, its chain, and its key. Mistake where they are not
    of one, where it is not valid now, and where others can read a file with a key in it.
    """
    if content is None:
        if not files:
            raise Mistake("a certificate was wanted", found="neither a file nor its content")
        content = b"\n".join(map(_read, files))
    where = ", ".join(map(str, files)) or "the content"
    try:
        found = bundle(content)
    except Mistake as error:
        error.where = where
        if error.found == "a certificate without a private key":
            error.remedy = "give the key's file too, or one PEM that has both"
        raise
    now = (clock or SystemClock()).now()
    if found.not_after <= now:
        raise Mistake(
            "a certificate that is valid was wanted",
            found=f"it expired at {found.not_after.isoformat()}",
            where=where,
        )
    if found.not_before > now:
        raise Mistake(
            "a certificate that is valid was wanted",
            found=f"it begins at {found.not_before.isoformat()}",
            where=where,
            remedy="see that this host's clock is right",
        )
    return _given(found.pem, found.fingerprint, found.names)


def same(content: bytes, given: Given) -> bool:
    """Whether a file's content is this certificate, chain and key, however it is written."""
    try:
        return bundle(content).pem == given.pem.reveal()
    except Mistake:
        return False


def _read(path: Path) -> bytes:
    content, _ = read_given(path, "the certificate's file", most=_MOST)
    # a chain may be read by anybody; who can read a key is another matter
    return read_secret_file(path).reveal() if b"PRIVATE KEY-----" in content else content


def _given(pem: bytes, sha1: str, names: tuple[str, ...]) -> Given:
    from cryptography import x509  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    leaf, *chain = x509.load_pem_x509_certificates(pem)
    return Given(
        pem=Secret(pem),
        fingerprint=hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest().upper(),
        sha1=sha1,
        subject=_line(leaf.subject),
        names=names,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        chain=tuple(_line(each.subject) for each in chain),
    )


def _line(subject: Any) -> str:
    text = "".join(f"/{each.rfc4514_attribute_name}={each.value}" for each in subject)
    return "".join(letter if letter.isprintable() else "?" for letter in text)
