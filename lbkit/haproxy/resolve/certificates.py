"""Certificates and authorities: their files read and understood."""

from __future__ import annotations

from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import read_given
from lbkit.base.problems import Path as Place
from lbkit.base.secrets import Secret, read_secret_file
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolve.pem import bundle, roots
from lbkit.haproxy.resolved_tls import ResolvedAuthority, ResolvedCertificate
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.tls import SYSTEM, Certificate

MOST_BYTES = 1 << 20


def certificates_of(balancer: str, spec: LoadBalancer, draft: Draft) -> dict[str, ResolvedCertificate]:
    """Those that are sound; of the others it is said what is wrong."""
    found = {}
    for name, certificate in spec.certificates.items():
        place = ("load_balancers", balancer, "certificates", name)
        read = _read(certificate, place, draft)
        if read is None:
            continue
        try:
            whole = bundle(read)
        except Mistake as error:
            _say(draft, place, error)
            continue
        found[name] = ResolvedCertificate(
            name=name,
            pem=Secret(whole.pem),
            fingerprint=whole.fingerprint,
            names=whole.names,
            filters=certificate.names,
            kind=whole.kind,
            not_before=whole.not_before,
            not_after=whole.not_after,
            files=tuple(
                draft.folder / source
                for source in (
                    certificate.file,
                    certificate.certificate,
                    certificate.chain,
                    certificate.key,
                )
                if source is not None
            ),
        )
        if not whole.names and not certificate.names:
            draft.problems.add(
                place,
                "a certificate with a DNS name",
                found="it has none",
                remedy="write `names:` that it shall answer for",
            )
    return found


def authorities_of(balancer: str, spec: LoadBalancer, draft: Draft) -> dict[str, ResolvedAuthority]:
    found = {}
    for name, authority in spec.authorities.items():
        place = ("load_balancers", balancer, "authorities", name)
        if name == SYSTEM:
            draft.problems.add(place, f"another name than {SYSTEM}: those that the host trusts", found=name)
            continue
        try:
            read, _ = read_given(draft.folder / authority.file, "the file of authorities", most=MOST_BYTES)
            whole = roots(read)
        except Mistake as error:
            _say(draft, (*place, "file"), error)
            continue
        found[name] = ResolvedAuthority(name, whole.pem, whole.fingerprints, whole.not_after)
    return found


def _read(certificate: Certificate, place: Place, draft: Draft) -> bytes | None:
    """All its files, one after the other; None where one cannot be read, which is said."""
    parts: list[bytes] = []
    missing = False
    for key, source, secret in (
        ("file", certificate.file, True),
        ("certificate", certificate.certificate, False),
        ("chain", certificate.chain, False),
        ("key", certificate.key, True),
    ):
        if source is None:
            continue
        try:
            parts.append(_content(draft.folder / source, secret=secret))
        except Mistake as error:
            missing = True
            _say(draft, (*place, key), error)
    return None if missing else b"\n".join(parts)


def _content(path: Path, *, secret: bool) -> bytes:
    if not secret:
        return read_given(path, "the certificate's file", most=MOST_BYTES)[0]
    try:
        return read_secret_file(path).reveal()
    except Mistake as error:
        if not error.remedy.startswith("chmod"):
            error.remedy = "a file with a private key is one of mode 600 that lbkit's user can read"
        raise


def _say(draft: Draft, place: Place, error: Mistake) -> None:
    draft.problems.add(place, error.wanted, found=error.found, remedy=error.remedy)
