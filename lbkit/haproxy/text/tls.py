"""The words of TLS on a `bind` line, and on the line of a backend's servers."""

from __future__ import annotations

from lbkit.haproxy.config.tls import authority_path, certificate_path
from lbkit.haproxy.spec.tls import SYSTEM, BindTls, ServerTls
from lbkit.haproxy.text.words import Words
from lbkit.health.spec import HealthCheck

SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
"""Of TLS 1.3: all that RFC 8446 has but the two for small devices."""

CURVES = "X25519:prime256v1:secp384r1"
"""Mozilla's server-side TLS guidelines, as the ciphers of `spec/tls.py`."""


def bind_words(tls: BindTls, certificate_list: str) -> Words:
    words: list[str | int] = ["ssl"]
    if tls.first is not None:
        words += ["crt", certificate_path(tls.first)]
    words += ["crt-list", certificate_list]
    if tls.strict_sni:
        words += ["strict-sni"]
    if tls.alpn:
        words += ["alpn", ",".join(tls.alpn)]
    words += ["ssl-min-ver", tls.min_version]
    if tls.min_version == "TLSv1.2":
        words += ["ciphers", ":".join(tls.ciphers)]
    # the client knows which of them its processor is fast at; a ticket's key would live as long as the process, and who
    # has it reads what was recorded
    words += ["ciphersuites", SUITES, "curves", CURVES, "prefer-client-ciphers", "no-tls-tickets"]
    if tls.client is not None:
        words += ["ca-file", authority_path(tls.client.ca), "verify", tls.client.verify]
    return tuple(words)


def server_words(tls: ServerTls, check: HealthCheck | None = None) -> Words:
    """Of a `default-server` line, or of `add server`. `check`: the servers' health check."""
    words: list[str | int] = ["ssl", "ssl-min-ver", tls.min_version]
    if tls.verify:
        # HAProxy compares a certificate's name with the one that it asks for, where it asks for one
        words += [
            "verify",
            "required",
            "ca-file",
            "@system-ca" if tls.ca == SYSTEM else authority_path(tls.ca),
        ]
        if isinstance(tls.verify_name, str):
            words += ["verifyhost", tls.verify_name]
    else:
        words += ["verify", "none"]
    if tls.server_name_from_host:
        words += ["sni", "req.hdr(host),host_only"]
    elif tls.server_name is not None:
        words += ["sni", f"str({tls.server_name})", "check-sni", tls.server_name]
    if tls.alpn is not None:
        words += ["alpn", ",".join(tls.alpn)]
    if tls.certificate is not None:
        words += ["crt", certificate_path(tls.certificate)]
    if check is not None and check.port is None and not check.forces_tls:
        # implied for a server of the file, not for one of `add server`, whose checks then speak in the clear
        words += ["check-ssl"]
    return tuple(words)
