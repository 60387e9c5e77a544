"""What binds and backends say of TLS: every name known, and no two certificates for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lbkit.base.problems import Path, near
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolved_tls import ResolvedAuthority, ResolvedCertificate
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.tls import SYSTEM, BindTls, ServerTls
from lbkit.haproxy.spec.words import Mode

HTTP_ALPN = ("h2", "http/1.1", "http/1.0")


@dataclass(frozen=True, slots=True)
class Tls:
    """What one load balancer has of certificates: those that are sound."""

    balancer: str
    spec: LoadBalancer
    draft: Draft
    certificates: Mapping[str, ResolvedCertificate]
    authorities: Mapping[str, ResolvedAuthority]

    def bind(self, tls: BindTls, mode: Mode, path: Path) -> BindTls:
        """`tls` with what its mode fills in."""
        place = (*path, "tls")
        self._known(tls.certificates, (*place, "certificates"))
        self._one_for_each_name(tls, (*place, "certificates"))
        if tls.client is not None:
            self._authority(tls.client.ca, (*place, "client", "ca"))
        first = None if tls.first is None else self.certificates.get(tls.first)
        if first is not None and first.filters:
            self.draft.problems.add(
                (*place, "default"),
                "a default certificate without `names`: it answers for all that no other does",
                found=first.name,
                remedy="name another as `default`, or write `strict_sni: true`",
            )
        self._protocols(tls.alpn, mode, (*place, "alpn"))
        alpn = tls.alpn if tls.alpn is not None else ("h2", "http/1.1") if mode == "http" else ()
        return tls.model_copy(update={"alpn": alpn})

    def servers(self, tls: ServerTls, mode: Mode, path: Path) -> None:
        place = (*path, "tls")
        if tls.verify and tls.ca != SYSTEM:
            self._authority(tls.ca, (*place, "ca"))
        if tls.certificate is not None:
            self._known((tls.certificate,), (*place, "certificate"))
        if tls.server_name_from_host and mode == "tcp":
            self.draft.problems.add(
                (*place, "server_name_from_host"),
                "http mode: tcp mode reads no Host header",
                found="tcp mode",
            )
        self._protocols(tls.alpn, mode, (*place, "alpn"))

    def _protocols(self, alpn: Iterable[str] | None, mode: Mode, place: Path) -> None:
        if mode == "http" and (other := sorted({*(alpn or ())} - {*HTTP_ALPN})):
            self.draft.problems.add(
                place, f"protocols that http mode speaks: {', '.join(HTTP_ALPN)}", found=", ".join(other)
            )

    def _known(self, names: Iterable[str], place: Path) -> None:
        for name in names:
            if name not in self.spec.certificates and not self.draft.is_broken(
                "load_balancers", self.balancer, "certificates", name
            ):
                self.draft.problems.add(
                    place,
                    "certificates of this load balancer",
                    found=name,
                    remedy=near(name, self.spec.certificates) or "declare it in `certificates`",
                )

    def _authority(self, name: str, place: Path) -> None:
        if name not in self.spec.authorities and not self.draft.is_broken(
            "load_balancers", self.balancer, "authorities", name
        ):
            self.draft.problems.add(
                place,
                "one of this load balancer's authorities",
                found=name,
                remedy=near(name, self.spec.authorities) or "declare it in `authorities`",
            )

    def _one_for_each_name(self, tls: BindTls, place: Path) -> None:
        """HAProxy takes any of several certificates for a name, but for one of each kind of key."""
        owner: dict[tuple[str, str], str] = {}
        for each in tls.certificates:
            certificate = self.certificates.get(each)
            if certificate is None:
                continue
            for name in certificate.answers:
                other = owner.setdefault((name, certificate.kind), each)
                if other != each:
                    self.draft.problems.add(
                        place,
                        "one certificate for a name, or one with an EC key and one with an RSA key",
                        found=f"{other} and {each} are both for {name}",
                        remedy="write `names:` for one of them",
                    )
                    break
