"""A certificate of a HAProxy that runs, and its lines in a crt-list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lbkit.base.errors import Failure
from lbkit.engine.plan import Plan
from lbkit.engine.resource import Key
from lbkit.haproxy.direct.certificate_files import plan_files
from lbkit.haproxy.direct.crt_lines import lines_of, plan_lines
from lbkit.haproxy.direct.given import Given
from lbkit.haproxy.direct.level import needs_admin
from lbkit.haproxy.direct.loaded import is_loaded
from lbkit.haproxy.direct.reach import TIMEOUT, reach, where_of
from lbkit.haproxy.direct.wanted_certificate import WantedCertificate
from lbkit.haproxy.direct.work import Work, carry
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.certificates import Certificate
from lbkit.haproxy.runtime.commands import tls
from lbkit.haproxy.runtime.crt_list import CrtLine
from lbkit.haproxy.runtime.questions import CERTIFICATES, CRT_LISTS, certificate
from lbkit.haproxy.runtime.transactions import certify, drop_pending


@dataclass(frozen=True, slots=True)
class _Loaded:
    """`has` None: no certificate of the name. `lines`: its lines in the wanted list; `others`: other lists that have it."""

    has: Certificate | None
    pending: str | None
    lines: tuple[CrtLine, ...]
    others: tuple[str, ...]


def plan_certificate(socket: str, wanted: WantedCertificate, *, timeout: float = TIMEOUT) -> Plan:
    """What `apply_certificate` would do now. Failure where HAProxy has no certificate of the name and no list is to have
    it, or no such list; and where one that is to go is in use.
    """
    with reach(socket, timeout) as runtime:
        return _work(runtime, wanted, where_of(socket)).plan


def apply_certificate(
    socket: str, wanted: WantedCertificate, *, promised: Plan | None = None, timeout: float = TIMEOUT
) -> Plan:
    """Have the certificate as wanted; what was done. PlanChanged where that is not what was `promised`.

    A change that somebody began and did not commit is dropped: HAProxy has one at a time.
    """
    where = where_of(socket)
    with reach(socket, timeout) as runtime:
        return carry(lambda each: _work(each, wanted, where), runtime, promised, where)


def _work(runtime: Runtime, wanted: WantedCertificate, where: str) -> Work:
    wanted.check()
    needs_admin(runtime, where)
    loaded = _look(runtime, wanted, where)
    work = Work()
    if wanted.given is None:
        _unused(wanted, loaded, where)
        plan_lines(work, wanted, loaded.lines)
        _gone(work, runtime, wanted, loaded)
    else:
        _there(work, runtime, wanted, wanted.given, loaded)
        plan_lines(work, wanted, loaded.lines)
    if wanted.persist:
        plan_files(work, wanted)
    else:
        work.notes.append(
            f"live only: at its next reload HAProxy reads {wanted.name} anew, which is not written (`persist`)"
        )
    return work


def _look(runtime: Runtime, wanted: WantedCertificate, where: str) -> _Loaded:
    certificates = runtime.read(CERTIFICATES)
    lists = runtime.read(CRT_LISTS)
    if wanted.crt_list is not None:
        is_loaded("the crt-list", wanted.crt_list, lists, where)
    elif wanted.given is not None:  # a new one that nothing uses is more likely another's name, misspelt
        is_loaded("the certificate", wanted.name, certificates.files, where)
    has = runtime.read(certificate(wanted.name)) if wanted.name in certificates.files else None
    asked = lists if wanted.given is None else [name for name in lists if name == wanted.crt_list]
    lines = lines_of(runtime, wanted.name, asked)
    mine = lines.pop(wanted.crt_list or "", ())
    return _Loaded(has, certificates.pending, mine, tuple(lines))


def _there(work: Work, runtime: Runtime, wanted: WantedCertificate, given: Given, loaded: _Loaded) -> None:
    has = loaded.has
    if has is not None and _is(has, given):
        return
    if not tls.fits(wanted.name, given.pem):
        raise Failure(
            f"the certificate for {wanted.name} was to fit one command of HAProxy's",
            found=f"{len(given.pem.reveal())} bytes",
            remedy="leave out of its chain what clients have, or write the file and reload HAProxy",
        )
    new = has is None

    def act() -> None:
        drop_pending(runtime)
        certify(runtime, wanted.name, given.pem, new=new)

    work.add(
        Key("certificate", wanted.name),
        "new" if has is None else "another certificate" if has.sha1 != given.sha1 else "another chain",
        act,
        before=None if has is None else _told(has),
        after={**given.as_data(), "sha1": given.sha1, "chain": list(given.chain)},
        steps=(
            *_dropped(work, loaded),
            *([f"new ssl cert {wanted.name}"] if new else []),
            f"set ssl cert {wanted.name} (certificate sha256:{given.fingerprint[:12].lower()})",
            f"commit ssl cert {wanted.name}",
        ),
    )


def _unused(wanted: WantedCertificate, loaded: _Loaded, where: str) -> None:
    if loaded.has is None or not (loaded.others or (loaded.has.status == "Used" and not loaded.lines)):
        return
    one = len(loaded.others) == 1 and wanted.crt_list is None
    raise Failure(
        f"the certificate {wanted.name} was to be in no use",
        found=f"in use by {', '.join(loaded.others) or 'a `bind` or a server itself'}",
        where=where,
        remedy="name that list as `crt_list`" if one else "change HAProxy's configuration, and reload it",
    )


def _gone(work: Work, runtime: Runtime, wanted: WantedCertificate, loaded: _Loaded) -> None:
    if loaded.has is None:
        return

    def act() -> None:
        drop_pending(runtime)
        runtime.do(tls.del_cert(wanted.name))

    work.add(
        Key("certificate", wanted.name),
        "not wanted",
        act,
        before=_told(loaded.has),
        after=None,
        steps=(*_dropped(work, loaded), f"del ssl cert {wanted.name}"),
    )


def _dropped(work: Work, loaded: _Loaded) -> list[str]:
    if loaded.pending is None:
        return []
    work.notes.append(f"a change of {loaded.pending} that somebody had begun is dropped")
    return [f"abort ssl cert {loaded.pending}"]


def _is(has: Certificate, given: Given) -> bool:
    """A chain that is not given may come from elsewhere (`issuers-chain-path`)."""
    if has.sha1 != given.sha1:
        return False
    return not given.chain or (
        len(has.chain) == len(given.chain) and all(map(_same_subject, has.chain, given.chain))
    )


def _same_subject(told: str, own: str) -> bool:
    """OpenSSL's words for types and for letters beyond ASCII are its own: what is sure is compared."""
    values = [part.partition("=")[2] for part in own.split("/")]
    return all(f"={value}" in told for value in values if value and value.isascii())


def _told(has: Certificate) -> dict[str, Any]:
    return {
        "sha1": has.sha1,
        "subject": has.subject,
        "names": list(has.names),
        "not_after": has.not_after.isoformat() if has.not_after else "",
        "chain": list(has.chain),
    }
