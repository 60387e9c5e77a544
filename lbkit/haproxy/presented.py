"""The certificate that a server shows to a client, by a real TLS handshake. It is not judged: whoever vouches for it, it is told."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from typing import Any

from lbkit.base.errors import Failure, Mistake
from lbkit.haproxy.has import validity
from lbkit.haproxy.resolve.pem import leaf_names

KINDS = {"EC": "ECDHE+aECDSA", "RSA": "ECDHE+aRSA"}
"""OpenSSL's ciphers of TLS 1.2 whose server signs by such a key. In TLS 1.3 the cipher does not say, and Python cannot ask."""


def shown(
    connection: socket.socket,
    server_name: str,
    now: datetime,
    *,
    kind: str | None = None,
    preamble: bytes = b"",
) -> dict[str, Any]:
    """The handshake on a fresh connection, which is closed then; its timeout is the longest silence. The certificate as `told` has it.

    `server_name` "" names none (SNI). `kind`, of KINDS: the one with such a key, where the server has one of each. `preamble` is sent before.
    Failure where there is no handshake.
    """
    context = _context(kind)
    with connection:
        try:
            if preamble:
                connection.sendall(preamble)
            with context.wrap_socket(connection, server_hostname=server_name or None) as tls:
                content = tls.getpeercert(binary_form=True)
        except (OSError, ValueError) as error:
            raise Failure(
                f"a TLS handshake{f' for {server_name}' if server_name else ''} was to tell the certificate",
                found=_words(error),
            ) from error
    return told(content or b"", now)


def asked(address: str, port: int, server_name: str, now: datetime, *, timeout: float) -> dict[str, Any]:
    """As `shown`, of whoever listens there. Failure where nobody does."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if timeout <= 0:
        raise Mistake("the timeout of a handshake was to be more than 0 s", found=f"{timeout:g}")
    if not 0 < port < 65536:
        raise Mistake("a port was to be one from 1 to 65535", found=str(port))
    try:
        connection = socket.create_connection((address, port), timeout)
    except (OSError, UnicodeError) as error:
        raise Failure("a TLS server was to listen", found=_words(error), where=where) from error
    try:
        return shown(connection, server_name, now)
    except Failure as error:
        error.where = where
        raise


def told(content: bytes, now: datetime) -> dict[str, Any]:
    """What a certificate (DER) says: `fingerprint` (SHA-256) and `sha1` in upper-case hexadecimal, as HAProxy writes them."""
    from cryptography import x509  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    leaf = x509.load_der_x509_certificate(content)
    return {
        "fingerprint": leaf.fingerprint(hashes.SHA256()).hex().upper(),
        "sha1": leaf.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - as HAProxy names it
        "subject": leaf.subject.rfc4514_string(),
        "issuer": leaf.issuer.rfc4514_string(),
        "names": list(leaf_names(leaf)),
        **validity(leaf.not_valid_before_utc, leaf.not_valid_after_utc, now),
    }


def _context(kind: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if kind is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(KINDS[kind])
    return context


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
