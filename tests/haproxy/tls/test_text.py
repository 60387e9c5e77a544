"""The words of TLS in haproxy.cfg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lbkit.haproxy.spec.tls import BindTls, Certificate, CertificateName, ServerTls
from lbkit.haproxy.text.tls import bind_words, server_words
from lbkit.haproxy.text.words import word
from lbkit.health.spec import HealthCheck
from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.running import Haproxy, config_in, document

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
REST = (
    "ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256 "
    "curves X25519:prime256v1:secp384r1 prefer-client-ciphers no-tls-tickets"
)

BINDS: list[tuple[dict[str, Any], str]] = [
    (
        {"certificates": "shop"},
        f"ssl crt certs/shop.pem crt-list certs/l.list ssl-min-ver TLSv1.2 ciphers {CIPHERS} {REST}",
    ),
    (
        {"certificates": ["a", "b"], "default": "b", "alpn": ["h2", "http/1.1"], "min_version": "TLSv1.3"},
        f"ssl crt certs/b.pem crt-list certs/l.list alpn h2,http/1.1 ssl-min-ver TLSv1.3 {REST}",
    ),
    (
        {
            "certificates": "a",
            "strict_sni": True,
            "ciphers": ["ECDHE-RSA-AES256-GCM-SHA384"],
            "client": {"ca": "x", "verify": "optional"},
        },
        (
            "ssl crt-list certs/l.list strict-sni ssl-min-ver TLSv1.2 ciphers ECDHE-RSA-AES256-GCM-SHA384 "
            f"{REST} ca-file certs/x.ca verify optional"
        ),
    ),
]


@pytest.mark.parametrize(("tls", "text"), BINDS)
def test_words_of_a_bind(tls: dict[str, Any], text: str) -> None:
    assert " ".join(map(word, bind_words(BindTls.model_validate(tls), "certs/l.list"))) == text


SERVERS: list[tuple[dict[str, Any], str]] = [
    (
        {"server_name": "a.b"},
        "ssl ssl-min-ver TLSv1.2 verify required ca-file @system-ca sni str(a.b) check-sni a.b",
    ),
    (
        {"server_name_from_host": True, "ca": "x", "certificate": "me", "alpn": ["h2", "http/1.1"]},
        (
            "ssl ssl-min-ver TLSv1.2 verify required ca-file certs/x.ca sni req.hdr(host),host_only "
            "alpn h2,http/1.1 crt certs/me.pem"
        ),
    ),
    (
        {"server_name": "a.b", "verify_name": "c.d", "min_version": "TLSv1.3"},
        "ssl ssl-min-ver TLSv1.3 verify required ca-file @system-ca verifyhost c.d sni str(a.b) check-sni a.b",
    ),
    ({"verify": False}, "ssl ssl-min-ver TLSv1.2 verify none"),
]


@pytest.mark.parametrize(("tls", "text"), SERVERS)
def test_words_of_servers(tls: dict[str, Any], text: str) -> None:
    assert " ".join(map(word, server_words(ServerTls.model_validate(tls)))) == text


@pytest.mark.parametrize(("check", "said"), [({}, 1), ({"port": 1}, 0), ({"protocol": "tls"}, 0)])
def test_checks_of_the_traffics_own_port_are_said_to_speak_tls(check: dict[str, Any], said: int) -> None:
    """For servers that come by `add server`; where the check forces it, its own words say so."""
    words = server_words(ServerTls(verify=False), HealthCheck.model_validate(check))
    assert words.count("check-ssl") == said


names = TypeAdapter(CertificateName)


@given(st.text(max_size=30) | st.text('!*az.[]#"\\ \n-', max_size=12))
def test_names_are_refused_or_plain_words_of_a_list(text: str) -> None:
    try:
        name = names.validate_python(text)
    except ValidationError:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*")
    assert name.rfind("*") <= 0
    assert Certificate(file="x", names=(name,)).names == (name,)


def test_haproxy_reads_all_of_it(tmp_path: Path) -> None:
    ca = Authority()
    ca.issue("a.example.org").write(tmp_path / "a.pem")
    ca.issue("b.example.org", kind="RSA").write(tmp_path / "b.pem")
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    data = document(
        8443,
        8080,
        "a",
        certificates={
            "a": {"file": "a.pem"},
            "b": {"file": "b.pem", "names": ["b.example.org", "*.c.example.org", "_x.example.org"]},
        },
        authorities={"x": {"file": "ca.pem"}},
    )
    shop = data["load_balancers"]["shop"]
    web = shop["backends"].pop("web")
    for index, (tls, _) in enumerate(SERVERS):
        swapped = {**tls, **({"certificate": "b"} if "certificate" in tls else {})}
        shop["backends"][f"web-{index}"] = {**web, "tls": swapped, "health_check": {"protocol": "http"}}
    shop["frontends"].clear()
    for index, more in enumerate(
        [
            {"certificates": ["a", "b"]},
            {"strict_sni": True, "client": {"ca": "x"}},
            {"min_version": "TLSv1.3"},
        ]
    ):
        bind = {"address": "127.0.0.1", "port": 8443 + index, "tls": {"certificates": "a", **more}}
        shop["frontends"][f"https-{index}"] = {
            "bind": [bind, {**bind, "port": 9443 + index}],
            "backend": "web-0",
        }
    haproxy = Haproxy(tmp_path / "haproxy")
    haproxy.folder.mkdir()
    haproxy.put(config_in(data, tmp_path))
    assert haproxy.check() == ""
    assert (haproxy.folder / "certs/https-0.2.list").read_text() == (
        "certs/b.pem b.example.org *.c.example.org _x.example.org\n"
    )
