"""Certificates as real clients of a real HAProxy meet them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.clients import get, handshake, trusting
from tests.haproxy.tls.running import config_in, document, free_port, running, web_server

pytestmark = pytest.mark.sandbox


def test_https_is_served_with_the_certificate_and_its_chain(tmp_path: Path) -> None:
    root = Authority()
    between = Authority("Between", root)
    issued = between.issue("shop.example.org")
    issued.write(tmp_path / "certs" / "shop.pem", between.pem)
    with web_server() as server:
        port = free_port()
        data = document(port, server, "shop", certificates={"shop": {"file": "certs/shop.pem"}})
        with running(tmp_path / "haproxy", config_in(data, tmp_path)):
            assert get(port, "shop.example.org", trusting(root)) == (200, "shop.example.org")
            seen = handshake(port, "shop.example.org", trusting(root, alpn=("h2", "http/1.1")))
            assert (seen.serial, seen.alpn, seen.version) == (issued.serial, "h2", "TLSv1.3")
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                get(port, "other.example.org", trusting(root))
