"""The certificates that a running HAProxy has, as it tells of them itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.questions import CERTIFICATES, certificate

if TYPE_CHECKING:
    from lbkit.haproxy.runtime.certificates import Certificate


def loaded(runtime: Runtime, where: str = "") -> list[Certificate]:
    """All of them, in one go."""
    questions = [certificate(file) for file in runtime.read(CERTIFICATES).files]
    replies = runtime.run(each.command for each in questions)
    return [each.answer(reply, where) for each, reply in zip(questions, replies, strict=True)]


def facts(has: Certificate, now: datetime) -> dict[str, Any]:
    return {
        "name": has.file,
        "status": has.status,
        "sha1": has.sha1,
        "serial": has.serial,
        "subject": has.subject,
        "issuer": has.issuer,
        "names": list(has.names),
        **validity(has.not_before, has.not_after, now),
    }


def validity(not_before: datetime | None, not_after: datetime | None, now: datetime) -> dict[str, Any]:
    """`seconds_left` is negative once it has expired."""
    return {
        "not_before": not_before.isoformat() if not_before else "",
        "not_after": not_after.isoformat() if not_after else "",
        "seconds_left": int((not_after - now).total_seconds()) if not_after else 0,
    }
