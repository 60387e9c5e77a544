"""Certificates and authorities of a load balancer, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lbkit.base.secrets import Secret


@dataclass(frozen=True, slots=True)
class ResolvedCertificate:
    """`pem`: certificate, chain and key. `filters`: the names that it answers for, where not all of its own.

    `fingerprint`: SHA-1 of the certificate in upper-case hexadecimal digits, as a running HAProxy says it. `files`: where it was read from.
    """

    name: str
    pem: Secret
    fingerprint: str
    names: tuple[str, ...]
    filters: tuple[str, ...]
    kind: str
    not_before: datetime
    not_after: datetime
    files: tuple[Path, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        return tuple(name.lower() for name in self.filters) or self.names


@dataclass(frozen=True, slots=True)
class ResolvedAuthority:
    """`fingerprints` of its certificates, as of a certificate; `not_after`: when the first of them expires."""

    name: str
    pem: bytes
    fingerprints: tuple[str, ...]
    not_after: datetime
