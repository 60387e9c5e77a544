"""TLS on binds, as real clients of a real HAProxy meet it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.haproxy.tls.authority import Authority, Issued
from tests.haproxy.tls.clients import get, handshake, steady_clients, trusting
from tests.haproxy.tls.running import Haproxy, config_in, document, free_port, running, web_server
from tests.haproxy.world import until

pytestmark = pytest.mark.sandbox

ROOT = Authority()
CLIENTS = Authority("Clients")
A = ROOT.issue("a.example.org")
B = ROOT.issue("b.example.org")
WILD = ROOT.issue("*.example.org", common="")
DECLARED = {"a": {"file": "a.pem"}, "b": {"file": "b.pem"}, "wild": {"file": "wild.pem"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    A.write(tmp_path / "a.pem")
    B.write(tmp_path / "b.pem")
    WILD.write(tmp_path / "wild.pem")
    (tmp_path / "clients.pem").write_bytes(CLIENTS.pem)
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with web_server() as port:
        yield port


def shop(port: int, server: int, tls: Any, **more: Any) -> dict[str, Any]:
    return document(
        port,
        server,
        tls,
        **{"certificates": DECLARED, "authorities": {"clients": {"file": "clients.pem"}}} | more,
    )


def test_https_is_served_with_the_certificate_and_its_chain(tmp_path: Path, server: int) -> None:
    between = Authority("Between", ROOT)
    issued = between.issue("shop.example.org")
    issued.write(tmp_path / "certs" / "shop.pem", between.pem)
    port = free_port()
    data = shop(port, server, "shop", certificates={"shop": {"file": "certs/shop.pem"}}, authorities={})
    with running(tmp_path / "haproxy", config_in(data, tmp_path)):
        assert get(port, "shop.example.org", trusting(ROOT)) == (200, "shop.example.org")
        seen = handshake(port, "shop.example.org", trusting(ROOT, alpn=("h2", "http/1.1")))
        assert (seen.serial, seen.alpn, seen.version) == (issued.serial, "h2", "TLSv1.3")
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            get(port, "other.example.org", trusting(ROOT))


def test_clients_get_the_certificate_of_the_name_that_they_ask_for(folder: Path, server: int) -> None:
    port = free_port()
    data = shop(port, server, {"certificates": ["b", "wild", "a"], "default": "a"})
    anyone = trusting(ROOT, check_name=False)
    with running(folder / "haproxy", config_in(data, folder)):
        asked = ["a.example.org", "b.example.org", "B.Example.Org", "c.example.org", "example.com", None]
        served = [handshake(port, name, anyone).serial for name in asked]
        assert served == [each.serial for each in (A, B, B, WILD, A, A)]


def test_strict_sni_shows_no_certificate_to_others(folder: Path, server: int) -> None:
    port = free_port()
    data = shop(port, server, {"certificates": ["a", "b"], "strict_sni": True})
    anyone = trusting(ROOT, check_name=False)
    with running(folder / "haproxy", config_in(data, folder)):
        assert handshake(port, "b.example.org", anyone).serial == B.serial
        for name in ("c.example.org", None):
            with pytest.raises(ssl.SSLError):
                handshake(port, name, anyone)


def test_names_that_are_declared_are_all_that_a_certificate_answers_for(folder: Path, server: int) -> None:
    port = free_port()
    few = {**DECLARED, "wild": {"file": "wild.pem", "names": ["c.example.org", "*.d.example.org"]}}
    data = shop(port, server, ["a", "wild"], certificates=few)
    anyone = trusting(ROOT, check_name=False)
    with running(folder / "haproxy", config_in(data, folder)):
        asked = ["c.example.org", "x.d.example.org", "e.example.org"]
        served = [handshake(port, name, anyone).serial for name in asked]
        assert served == [WILD.serial, WILD.serial, A.serial]


def at_most(version: ssl.TLSVersion, ciphers: str = "DEFAULT:@SECLEVEL=0") -> ssl.SSLContext:
    context = trusting(ROOT)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    context.set_ciphers(ciphers)
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_versions_and_ciphers_that_are_weak_are_refused(folder: Path, server: int) -> None:
    port, modern = free_port(), free_port()
    data = shop(port, server, "a")
    data["load_balancers"]["shop"]["frontends"]["modern"] = {
        "bind": {
            "address": "127.0.0.1",
            "port": modern,
            "tls": {"certificates": "a", "min_version": "TLSv1.3"},
        },
        "backend": "web",
    }
    with running(folder / "haproxy", config_in(data, folder)):
        seen = handshake(port, "a.example.org", at_most(ssl.TLSVersion.TLSv1_2))
        assert (seen.version, seen.cipher[:6]) == ("TLSv1.2", "ECDHE-")
        chosen = handshake(
            port, "a.example.org", at_most(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305")
        )
        assert chosen.cipher == "ECDHE-ECDSA-CHACHA20-POLY1305"
        refused = [
            (port, at_most(ssl.TLSVersion.TLSv1_1)),
            (port, at_most(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256")),
            (modern, at_most(ssl.TLSVersion.TLSv1_2)),
        ]
        for where, context in refused:
            with pytest.raises(ssl.SSLError):
                handshake(where, "a.example.org", context)


def test_clients_must_show_a_certificate_that_the_authority_vouches_for(folder: Path, server: int) -> None:
    CLIENTS.issue("user").write(folder / "user.pem")
    ROOT.issue("stranger").write(folder / "stranger.pem")
    must, may = free_port(), free_port()
    data = shop(must, server, {"certificates": "a", "client": {"ca": "clients"}})
    data["load_balancers"]["shop"]["frontends"]["may"] = {
        "bind": {
            "address": "127.0.0.1",
            "port": may,
            "tls": {"certificates": "a", "client": {"ca": "clients", "verify": "optional"}},
        },
        "backend": "web",
    }

    def answer(port: int, shown: str | None) -> int:
        context = trusting(ROOT)
        if shown:
            context.load_cert_chain(folder / shown)
        try:
            return get(port, "a.example.org", context)[0]
        except (ssl.SSLError, ConnectionError):
            return 0

    with running(folder / "haproxy", config_in(data, folder)):
        assert [answer(must, shown) for shown in ("user.pem", None, "stranger.pem")] == [200, 0, 0]
        assert [answer(may, shown) for shown in ("user.pem", None, "stranger.pem")] == [200, 200, 0]


def test_an_authority_that_comes_is_believed_by_the_running_process(folder: Path, server: int) -> None:
    port = free_port()
    ROOT.issue("other").write(folder / "other.pem")
    context = trusting(ROOT)
    context.load_cert_chain(folder / "other.pem")
    data = shop(port, server, {"certificates": "a", "client": {"ca": "clients"}})
    with running(folder / "haproxy", config_in(data, folder)) as haproxy:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(port, "a.example.org", context)
        both = (CLIENTS.pem + ROOT.pem).decode()
        assert "transaction created" in haproxy.ask(f"set ssl ca-file certs/clients.ca <<\n{both}")
        assert "Committing certs/clients.ca.\n" in haproxy.ask("commit ssl ca-file certs/clients.ca")
        assert get(port, "a.example.org", context)[0] == 200


def put(haproxy: Haproxy, path: str, issued: Issued) -> None:
    """Replace a certificate in the running process, and its file."""
    pem = (issued.pem + issued.key_pem).decode()
    assert f"Transaction created for certificate {path}!" in haproxy.ask(f"set ssl cert {path} <<\n{pem}")
    assert "Success!" in haproxy.ask(f"commit ssl cert {path}")
    (haproxy.folder / path).write_bytes(issued.pem + issued.key_pem)


def test_certificates_are_replaced_in_the_running_process_without_a_lost_request(
    folder: Path, server: int
) -> None:
    port = free_port()
    config = config_in(shop(port, server, ["a", "b"]), folder)
    names = ("a.example.org", "b.example.org")
    with running(folder / "haproxy", config) as haproxy:
        before = haproxy.pid()
        with steady_clients(port, names, trusting(ROOT)) as clients:
            until(lambda: clients.requests > 50, "requests")
            for kind in ("EC", "RSA", "EC"):
                for path, name in (("certs/a.pem", names[0]), ("certs/b.pem", names[1])):
                    new = ROOT.issue(name, kind=kind)  # type: ignore[arg-type]
                    put(haproxy, path, new)
                    assert handshake(port, name, trusting(ROOT)).serial == new.serial
            # one more, as a file of the list that nobody has read yet
            new = ROOT.issue("new.example.org")
            assert "New empty" in haproxy.ask("new ssl cert certs/new.pem")
            put(haproxy, "certs/new.pem", new)
            assert "Success!" in haproxy.ask("add ssl crt-list certs/https.list certs/new.pem")
            (haproxy.folder / "certs/https.list").write_text("certs/b.pem\ncerts/new.pem\n")
            assert handshake(port, "new.example.org", trusting(ROOT)).serial == new.serial
            sofar = clients.requests
            until(lambda: clients.requests > sofar + 50, "more requests")
        assert clients.failed == []
        assert haproxy.pid() == before
        listed = haproxy.ask("show ssl crt-list -n certs/https.list")
        served = [handshake(port, name, trusting(ROOT)).serial for name in (*names, "new.example.org")]
        haproxy.stop()
        haproxy.start()
        assert haproxy.ask("show ssl crt-list -n certs/https.list") == listed
        again = [handshake(port, name, trusting(ROOT)).serial for name in (*names, "new.example.org")]
        assert again == served


def test_an_empty_list_takes_up_a_first_entry_and_gives_it_back(folder: Path, server: int) -> None:
    port = free_port()
    with running(folder / "haproxy", config_in(shop(port, server, "a"), folder)) as haproxy:
        anyone = trusting(ROOT, check_name=False)
        assert handshake(port, "b.example.org", anyone).serial == A.serial
        haproxy.ask("new ssl cert certs/b.pem")
        put(haproxy, "certs/b.pem", B)
        assert "Success!" in haproxy.ask("add ssl crt-list certs/https.list certs/b.pem")
        assert handshake(port, "b.example.org", anyone).serial == B.serial
        assert "deleted" in haproxy.ask("del ssl crt-list certs/https.list certs/b.pem")
        assert "deleted" in haproxy.ask("del ssl cert certs/b.pem")
        assert handshake(port, "b.example.org", anyone).serial == A.serial


def test_reloads_lose_no_request_of_http_2_or_1(folder: Path, server: int) -> None:
    port = free_port()
    with running(folder / "haproxy", config_in(shop(port, server, ["a", "b"]), folder)) as haproxy:
        names = ("a.example.org", "b.example.org")
        with steady_clients(port, names, trusting(ROOT), http2=2) as clients:
            for _ in range(5):
                sofar = clients.http2
                until(lambda: clients.http2 > sofar + 40, "requests of HTTP/2")  # noqa: B023
                haproxy.reload()
            sofar = clients.http2
            until(lambda: clients.http2 > sofar + 40, "requests after")
        assert clients.failed == []
