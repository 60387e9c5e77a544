"""`show ssl cert`: which certificates HAProxy holds, and what is in one (management guide, 9.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files by the names that HAProxy has for them. `pending`: of the one that is set and not committed, or none."""

    files: tuple[str, ...]
    pending: str | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What HAProxy holds under a file's name. `status`: Used, Unused or Empty; in an Empty one all else is empty.

    `names`: the DNS names of the subject's alternatives, the only ones that HAProxy tells.
    """

    file: str
    status: str
    serial: str
    not_before: datetime | None
    not_after: datetime | None
    names: tuple[str, ...]
    algorithm: str
    sha1: str
    subject: str
    issuer: str
    chain: tuple[str, ...]


def parse_certificates(text: str) -> Certificates:
    pending = None
    files: list[str] = []
    within = ""
    for line in text.split("\n"):
        if line in {"# transaction", "# filename"}:
            within = line
        elif line and within == "# transaction":
            pending = line.removeprefix("*")
        elif line and within:
            files.append(line)
        elif line:
            raise ValueError(f"a head: {line[:120]}")
    return Certificates(tuple(files), pending)


def parse_certificate(text: str) -> Certificate:
    fields: dict[str, str] = {}
    chain: list[str] = []
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon and name == "Chain Subject":
            chain.append(value.strip())
        elif colon:
            fields.setdefault(name, value.strip())
    names = [each.strip() for each in fields.get("Subject Alternative Name", "").split(",")]
    return Certificate(
        file=fields["Filename"].removeprefix("*"),
        status=fields["Status"],
        serial=fields.get("Serial", ""),
        not_before=_time(fields.get("notBefore", "")),
        not_after=_time(fields.get("notAfter", "")),
        names=tuple(each.removeprefix("DNS:") for each in names if each.startswith("DNS:")),
        algorithm=fields.get("Algorithm", ""),
        sha1=fields.get("SHA1 FingerPrint", ""),
        subject=fields.get("Subject", ""),
        issuer=fields.get("Issuer", ""),
        chain=tuple(chain),
    )


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _time(words: str) -> datetime | None:
    """OpenSSL's form, "Nov  2 01:28:21 2026 GMT": English whatever the locale, which strptime's is not."""
    if not words:
        return None
    month, day, clock, year, *_ = words.split()
    hour, minute, second = (int(each) for each in clock.partition(".")[0].split(":"))
    return datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
