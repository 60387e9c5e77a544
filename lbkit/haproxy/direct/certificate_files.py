"""The files of a certificate and of its crt-list on the disk, which HAProxy reads at its next start."""

from __future__ import annotations

from lbkit.engine.change import Impact
from lbkit.engine.resource import Key
from lbkit.haproxy.direct import crt_file
from lbkit.haproxy.direct.disk import discard, expected, found, place, put
from lbkit.haproxy.direct.given import Given, same
from lbkit.haproxy.direct.wanted_certificate import WantedCertificate
from lbkit.haproxy.direct.work import Work

_MODE = 0o600


def plan_files(work: Work, wanted: WantedCertificate) -> None:
    """A list must never name what is not there: it comes after the certificate, and goes before it."""
    if wanted.given is not None:
        _certificate(work, wanted, wanted.given)
    if wanted.crt_list is not None:
        _list(work, wanted, wanted.crt_list)
    if wanted.given is None:
        _gone(work, wanted)


def _certificate(work: Work, wanted: WantedCertificate, given: Given) -> None:
    path = place(wanted.name, wanted.folder)
    there = found(path)
    right = there is not None and same(there.content, given)
    if there is not None and right and not there.mode & 0o077:
        return
    what = "new" if there is None else "others could read its key" if right else "another certificate"
    work.add(
        Key("file", str(path)),
        f"read at the next start: {what}",
        lambda: put(path, given.pem.reveal(), _MODE, there.owner if there else None),
        before=None if there is None else {"mode": f"{there.mode:04o}"},
        after={"mode": f"{_MODE:04o}", **({} if right else given.as_data())},
        impact=Impact.NONE,
        steps=(f"write {path}",),
    )


def _gone(work: Work, wanted: WantedCertificate) -> None:
    path = place(wanted.name, wanted.folder)
    there = found(path)
    if there is None:
        return
    work.add(
        Key("file", str(path)),
        "not wanted",
        lambda: discard(path),
        before={"mode": f"{there.mode:04o}"},
        after=None,
        impact=Impact.NONE,
        steps=(f"remove {path}",),
    )


def _list(work: Work, wanted: WantedCertificate, name: str) -> None:
    if place(name, wanted.folder).is_dir():
        return  # every file in it is a certificate of it
    there = expected(name, wanted.folder)
    content = crt_file.edited(there.content, wanted.name, wanted.names, absent=wanted.given is None)
    if content == there.content:
        return
    work.add(
        Key("file", str(there.path)),
        "read at the next start: its lines of the certificate",
        lambda: put(there.path, content, there.mode, there.owner),
        before={"content": there.content.decode(errors="replace")},
        after={"content": content.decode(errors="replace")},
        impact=Impact.NONE,
        steps=(f"write {there.path}",),
    )
