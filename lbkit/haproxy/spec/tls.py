"""TLS: certificates, who vouches for others' certificates, and how binds and servers speak it."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from lbkit.base.model import Model, OneOrMany
from lbkit.base.names import Form, Label, Printable
from lbkit.health.values import DnsName

SourceFile = Annotated[Printable, Field(min_length=1)]
"""A path; a relative one starts at the topology's folder."""

CertificateName = Annotated[
    str,
    StringConstraints(max_length=253),
    Form(
        r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9-]{0,62})*",
        "a DNS name, or one with a first label of `*`",
    ),
]

Version = Literal["TLSv1.2", "TLSv1.3"]

Cipher = Literal[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]
"""Those of TLS 1.2 that keep a recorded connection secret when the key gets out later, and authenticate what they
encrypt (RFC 9325 section 4.2). OpenSSL's names."""

INTERMEDIATE: tuple[Cipher, ...] = get_args(Cipher)

Alpn = Annotated[
    str, StringConstraints(max_length=32), Form("[A-Za-z0-9][A-Za-z0-9./_-]*", "a protocol's name in ALPN")
]

SYSTEM = "system"
"""In the place of an authority: those that the host trusts (`/etc/ssl/certs`)."""


class Certificate(Model):
    """A certificate with its key: in one file, or in several. PEM; the order within a file makes no difference."""

    file: SourceFile | None = Field(None, description="Key, certificate and chain in one file of mode 600")
    certificate: SourceFile | None = Field(None, description="The certificate, its chain may follow it")
    chain: SourceFile | None = Field(None, description="The certificates between it and its root")
    key: SourceFile | None = Field(None, description="The private key, without a passphrase; mode 600")
    names: Annotated[tuple[CertificateName, ...], Field(max_length=100)] = Field(
        (), description="Names that it answers for; by default all that the certificate has"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = (self.certificate, self.key)
        if (self.file is None) != all(parts) or (self.file is not None and (any(parts) or self.chain)):
            raise ValueError("`file` alone, or `certificate` and `key` (and `chain`)")
        return self


class Authority(Model):
    """Who vouches for certificates of others."""

    file: SourceFile = Field(description="Certificates of authorities, PEM")


class ClientCertificates(Model):
    """Certificates that clients show."""

    ca: Label = Field(description="One of the load balancer's `authorities`")
    verify: Literal["required", "optional"] = Field(
        "required", description="Whether a client without one is turned away; a bad one always is"
    )


class BindTls(Model):
    certificates: Annotated[tuple[Label, ...], Field(min_length=1, max_length=10_000), OneOrMany()] = Field(
        description="Of the load balancer's `certificates`; which one is served is by the client's SNI"
    )
    default: Label | None = Field(
        None, description="For clients that name none of them; by default the first. Another one is a reload"
    )
    strict_sni: bool = Field(False, description="No certificate for clients that name none of them")
    alpn: Annotated[tuple[Alpn, ...], Field(max_length=8), OneOrMany()] | None = Field(
        None, description="By default h2 and http/1.1 in http mode, none in tcp mode; [] for none"
    )
    min_version: Version = Field("TLSv1.2", description="TLSv1.2 or TLSv1.3")
    ciphers: Annotated[tuple[Cipher, ...], Field(min_length=1)] = Field(
        INTERMEDIATE, description="Of TLS 1.2, in OpenSSL's names; the client chooses"
    )
    client: ClientCertificates | None = Field(None, description="Ask clients for certificates of theirs")

    @field_validator("certificates", "alpn", "ciphers")
    @classmethod
    def _each_once(cls, words: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = next((word for index, word in enumerate(words or ()) if word in (words or ())[:index]), None)
        if twice is not None:
            raise ValueError(f"each once: {twice!r} stands there twice")
        return words

    @model_validator(mode="after")
    def _default_is_one_of_them(self) -> Self:
        if self.default is not None and self.default not in self.certificates:
            raise ValueError(f"a default that is one of the certificates, not {self.default!r}")
        if self.default is not None and self.strict_sni:
            raise ValueError("either `default` or `strict_sni`: with the second, no certificate is a default")
        return self

    @property
    def first(self) -> str | None:
        """The certificate for clients that name none of them; None: they get none."""
        return None if self.strict_sni else self.default or self.certificates[0]


def _bind_tls(value: object) -> object:
    return {"certificates": value} if isinstance(value, str | list | tuple) else value


OneBindTls = Annotated[
    BindTls, BeforeValidator(_bind_tls, json_schema_input_type=BindTls | Label | tuple[Label, ...])
]
"""`shop` and `[shop, api]` are written for `{certificates: [...]}`."""


class ServerTls(Model):
    """TLS to the servers of a backend. Whom one speaks to is verified, unless it is said not to be."""

    verify: bool = Field(True, description="Whether an authority must vouch for a server's certificate")
    ca: Label = Field(
        SYSTEM,
        description="One of the load balancer's `authorities`, or `system`: those that the host trusts",
    )
    server_name: DnsName | None = Field(
        None, description="The name that is asked for (SNI), and that the certificate must have"
    )
    server_name_from_host: bool = Field(
        False, description="In http mode: the Host header of each request is that name"
    )
    verify_name: DnsName | bool = Field(
        True,
        description="The name that certificates must have, where it is not the one asked for; false: any, the "
        "authority's word is enough",
    )
    certificate: Label | None = Field(
        None, description="One of the load balancer's `certificates`, that it shows to servers which ask"
    )
    alpn: Annotated[tuple[Alpn, ...], Field(min_length=1, max_length=8), OneOrMany()] | None = Field(
        None, description="By default none is asked for, which is HTTP/1.1 in http mode"
    )
    min_version: Version = "TLSv1.2"

    @model_validator(mode="after")
    def _says_whom_it_trusts(self) -> Self:
        if self.server_name is not None and self.server_name_from_host:
            raise ValueError("either `server_name` or `server_name_from_host`")
        written = self.model_fields_set
        if not self.verify and (written & {"ca", "verify_name"}) - {"verify"}:
            raise ValueError("no `ca` and no `verify_name` where `verify: false`")
        named = self.server_name or self.server_name_from_host or isinstance(self.verify_name, str)
        if self.verify and self.verify_name is True and not named:
            raise ValueError(
                "`server_name`, the name that the servers' certificates have; or `verify_name: false`, where the "
                "authority's word is enough; or `verify: false`"
            )
        return self
