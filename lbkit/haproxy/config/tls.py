"""The files that TLS needs beside haproxy.cfg, and how they are named.

A bind names its default certificate itself, and a crt-list with the others: HAProxy keeps the default for as long as
a process lives (`del ssl crt-list` refuses it), and takes up any other change of a list or a certificate as it runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.files import File, FileKind
from lbkit.haproxy.resolved import ResolvedLoadBalancer
from lbkit.haproxy.resolved_tls import ResolvedCertificate
from lbkit.haproxy.spec.tls import SYSTEM, BindTls

FOLDER = "certs"
BUFFER = 16_384
"""Bytes: `tune.bufsize` where it is not written. A command with its payload must fit into it."""

MOST_COMMAND = 1_384
"""Bytes of a command beside its payload, with some to spare: its longest word is a path below `certs/`."""


def certificate_path(name: str) -> str:
    return f"{FOLDER}/{name}.pem"


def authority_path(name: str) -> str:
    return f"{FOLDER}/{name}.ca"


def list_path(frontend: str, bind: int) -> str:
    """`bind` counts from 0. A name of a frontend has no dot in it."""
    return f"{FOLDER}/{frontend}.list" if bind == 0 else f"{FOLDER}/{frontend}.{bind + 1}.list"


def used(balancer: ResolvedLoadBalancer) -> tuple[list[str], list[str]]:
    """The names of certificates and of authorities that binds or servers use."""
    binds = [bind.tls for frontend in balancer.frontends for bind in frontend.binds if bind.tls is not None]
    servers = [backend.tls for backend in balancer.backends if backend.tls is not None]
    certificates = {name for tls in binds for name in tls.certificates}
    certificates |= {tls.certificate for tls in servers if tls.certificate is not None}
    authorities = {tls.client.ca for tls in binds if tls.client is not None}
    authorities |= {tls.ca for tls in servers if tls.verify and tls.ca != SYSTEM}
    return sorted(certificates), sorted(authorities)


def tls_files(balancer: ResolvedLoadBalancer) -> tuple[File, ...]:
    """Those that are used. Of what is declared besides, nothing is put on any machine."""
    certificates, authorities = used(balancer)
    return (
        *(_certificate(balancer.certificates[name], balancer) for name in certificates),
        *(
            File(
                list_path(frontend.name, index),
                FileKind.CERTIFICATE_LIST,
                "".join(_entries(bind.tls, balancer)).encode(),
            )
            for frontend in balancer.frontends
            for index, bind in enumerate(frontend.binds)
            if bind.tls is not None
        ),
        *(_authority(name, balancer) for name in authorities),
    )


def _authority(name: str, balancer: ResolvedLoadBalancer) -> File:
    """`commit ssl ca-file` reaches binds alone: to servers it says that it succeeded, and does nothing."""
    authority = balancer.authorities[name]
    of_servers = any(
        backend.tls.verify and backend.tls.ca == name
        for backend in balancer.backends
        if backend.tls is not None
    )
    return File(
        authority_path(name),
        FileKind.PLAIN if of_servers else _kind(FileKind.AUTHORITY, authority.pem, balancer),
        authority.pem,
        identity=" ".join(authority.fingerprints),
    )


def _kind(kind: FileKind, content: bytes, balancer: ResolvedLoadBalancer) -> FileKind:
    """`kind`, unless HAProxy could not be given the content at run time."""
    most = (balancer.process.tuning.buffer_size or BUFFER) - MOST_COMMAND
    return kind if len(content) <= most else FileKind.PLAIN


def _certificate(certificate: ResolvedCertificate, balancer: ResolvedLoadBalancer) -> File:
    content = certificate.pem.reveal()
    return File(
        certificate_path(certificate.name),
        _kind(FileKind.CERTIFICATE, content, balancer),
        content,
        identity=certificate.fingerprint,
        secret=True,
    )


def _entries(tls: BindTls, balancer: ResolvedLoadBalancer) -> Iterator[str]:
    """Sorted: no order of them means anything, as no two are for one name."""
    for name in sorted({*tls.certificates} - {tls.first}):
        yield " ".join((certificate_path(name), *balancer.certificates[name].filters)) + "\n"
