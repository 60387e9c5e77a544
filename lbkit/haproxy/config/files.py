"""Files beside haproxy.cfg that it speaks of: what kind each is decides how a running HAProxy takes up a change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum


class FileKind(StrEnum):
    MAP = "map"  # "KEY VALUE" lines; changed at run time (management guide, 9.3 "commit map")
    LIST = "list"  # one pattern a line, of an ACL (`-f`); changed at run time ("commit acl")
    CERTIFICATE = "certificate"  # PEM: key, certificate, chain; changed at run time ("commit ssl cert")
    CERTIFICATE_LIST = "certificate-list"  # crt-list; changed at run time ("add ssl crt-list")
    AUTHORITY = "authority"  # PEM: who vouches for certificates; changed at run time ("commit ssl ca-file")
    PLAIN = "plain"  # read at start alone: its digest is part of the configuration's


@dataclass(frozen=True, slots=True)
class File:
    """`path` is relative to HAProxy's folder, as the configuration names it.

    `identity`: what a running process shows of it, where that is not its content (of a certificate: the SHA-1
    fingerprint of the first certificate, 40 upper-case hex digits). `secret`: its content is never shown.
    """

    path: str
    kind: FileKind
    content: bytes = field(repr=False)
    identity: str = ""
    secret: bool = False

    @property
    def entries(self) -> tuple[str, ...]:
        """Its lines, of a map or a list; comments apart."""
        lines = self.content.decode().splitlines()
        return tuple(line for line in lines if line and not line.startswith("#"))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:32]
