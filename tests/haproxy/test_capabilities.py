"""What lbkit says of a version, tried on it: that it does what it is said to do, and not what it is said not to."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509

from lbkit.haproxy import capabilities
from lbkit.haproxy.capabilities import LONGEST_COMMAND, NONE, Capabilities
from tests.haproxy.bare import Bare, eventually, running
from tests.haproxy.tls.authority import Authority
from tests.haproxy.versions import VERSIONS, program, version_of

pytestmark = pytest.mark.sandbox

DEFAULTS = """
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
"""
WEB = """
frontend web
    bind 127.0.0.1:9001
    http-request return status 200
"""
SERVER_WORDS = """
weight 7 | maxconn 7 | minconn 7 | maxqueue 7 | backup | disabled | id 777 | track be/first | source 127.0.0.9
proto h2 | ws h1 | tfo | shard 7 | cookie x | guid x | hash-key addr
check | inter 7s | fastinter 7s | downinter 7s | rise 7 | fall 7 | addr 127.0.0.9 | port 7
check-ssl verify none | check-sni a.test | check-alpn h2 | check-proto h2 | check-send-proxy | check-via-socks4
agent-check agent-port 7 | agent-addr 127.0.0.9 | agent-port 7 | agent-inter 7s | agent-send x
slowstart 7s | observe layer7 | on-error mark-down | error-limit 7
on-marked-down shutdown-sessions | on-marked-up shutdown-backup-sessions
ssl verify none | verify none | verifyhost a.test | ca-file root.pem | crl-file root.pem | crt a.pem
sni str(a) | alpn h2 | npn h2 | ciphers AES128-SHA | ciphersuites TLS_AES_128_GCM_SHA256
ssl-min-ver TLSv1.2 | ssl-max-ver TLSv1.3 | no-ssl-reuse | no-tls-tickets | allow-0rtt
curves P-256 | sigalgs RSA+SHA256 | client-sigalgs RSA+SHA256
send-proxy | send-proxy-v2 | send-proxy-v2-ssl | proxy-v2-options unique-id | set-proxy-v2-tlv-fmt(0x20) %[str(a)]
pool-max-conn 7 | pool-low-conn 7 | pool-purge-delay 7s
enabled | init-state down | strict-maxconn | resolvers dns | init-addr none | resolve-prefer ipv4
redir http://x | tcp-ut 7s | max-reuse 7 | namespace x | stick | non-stick | socks4 127.0.0.1:7 | no-check
log-proto octet-count
"""
"""A server's keywords, each with what goes with it."""

ALGORITHMS = ("roundrobin", "static-rr", "leastconn", "first", "random")
HASHES = ("source", "uri", "hdr(host)", "url_param id", "rdp-cookie(x)", "hash path")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def can(version: str) -> Capabilities:
    return capabilities.of(version_of(program(version)))


Start = Callable[[str], Bare]


@pytest.fixture
def folder(host: object, tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def start(netns: None, tmp_path: Path, version: str) -> Iterator[Start]:
    """Starts one HAProxy with the sections given."""
    with ExitStack() as stack:
        yield lambda config: stack.enter_context(running(program(version), tmp_path, DEFAULTS + config))


@pytest.mark.parametrize(
    ("words", "like"),
    [
        *(("2.6.12-1+deb12u4", "2.6"), ("2.6", "2.6"), ("2.8.3", "2.6"), ("2.10-dev1", "2.6")),
        *(("3.0.11", "3.0"), ("3.0-dev7-abc", "3.0"), ("3.2.0", "3.0"), ("4.0", "3.0"), ("10.1", "3.0")),
    ],
)
def test_a_version_can_what_the_newest_tried_one_before_it_can(words: str, like: str) -> None:
    assert capabilities.of(words) is capabilities.of(like)
    assert capabilities.of(words).add_server


@pytest.mark.parametrize("words", ["2.5.9", "1.8.4", "", "unknown", "v3", "x2.6", "\u0663.0"])
def test_of_an_older_or_unreadable_version_nothing_is_believed(words: str) -> None:
    assert capabilities.of(words) == NONE
    assert not NONE.add_server
    assert not NONE.is_dynamic("roundrobin", consistent=True)


def test_keywords_of_a_new_server(start: Start, can: Capabilities, tmp_path: Path) -> None:
    root = Authority()
    (tmp_path / "root.pem").write_bytes(root.pem)
    root.issue("a.test").write(tmp_path / "a.pem")
    haproxy = start(
        "backend be\n server first 127.0.0.1:9001 ssl verify required ca-file root.pem crt a.pem crl-file root.pem check\n"
    )
    taken = set()
    for number, words in enumerate(re.split(r" *[|\n] *", SERVER_WORDS.strip())):
        reply = haproxy.ask(f"add server be/s{number} 127.0.0.1:9001 {words}")
        # 2.6 has `enabled`, which starts a server without a check
        if reply == "New server registered." and words != "enabled":
            taken.add(re.split("[ (]", words)[0])
    assert taken == can.server_keywords


def test_algorithms_that_take_new_servers_and_any_weight(start: Start, can: Capabilities) -> None:
    asked = [(name, False) for name in ALGORITHMS + HASHES] + [(name, True) for name in HASHES]
    kind = ("", " hash-type consistent\n")
    sections = [
        f"backend b{number}\n balance {name}\n{kind[consistent]} server s 127.0.0.1:9001\n"
        for number, (name, consistent) in enumerate(asked)
    ]
    haproxy = start("".join(sections))
    for number, (name, consistent) in enumerate(asked):
        dynamic = can.is_dynamic(name, consistent=consistent)
        added = haproxy.ask(f"add server b{number}/new 127.0.0.1:9001")
        assert (added == "New server registered.") is dynamic, (name, consistent, added)
        weighed = haproxy.ask(f"set server b{number}/s weight 3")
        assert (weighed == "") is dynamic, (name, consistent, weighed)
        assert haproxy.ask(f"set server b{number}/s weight 0") == ""


def test_any_server_is_deleted_once_it_is_in_maintenance_and_has_no_request(
    start: Start, can: Capabilities
) -> None:
    listener = socket.create_server(("127.0.0.1", 9002))
    haproxy = start(
        "frontend f\n bind 127.0.0.1:8000\n default_backend be\nbackend be\n server s 127.0.0.1:9002\n"
    )
    client = socket.create_connection(("127.0.0.1", 8000))
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    request, _ = listener.accept()
    assert can.delete_server
    assert haproxy.ask("del server be/s") == "Only servers in maintenance mode can be deleted."
    haproxy.tell("set server be/s state maint")
    assert haproxy.ask("del server be/s") == "Server still has connections attached to it, cannot remove it."
    waited = haproxy.ask("wait 50ms srv-removable be/s")
    assert waited.startswith("Wait delay expired." if can.wait_removable else "Unknown command")
    answer = threading.Thread(target=request.sendall, args=(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",))
    answer.start()
    if can.wait_removable:
        assert haproxy.ask("wait 10s srv-removable be/s", "del server be/s") == "Done.\n\nServer deleted."
    else:  # a connection that comes idle in maintenance stays for 15 s, until maintenance is entered anew
        again = ("set server be/s state drain", "set server be/s state maint", "del server be/s")
        eventually(lambda: haproxy.ask(*again) == "Server deleted.")
    answer.join()
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert haproxy.state("be", "s") is None
    for opened in (client, request, listener):
        opened.close()


def test_maps_and_lists_are_replaced_at_once(start: Start, can: Capabilities, tmp_path: Path) -> None:
    (tmp_path / "routes.map").write_text("/old one\n")
    (tmp_path / "allowed.lst").write_text("10.0.0.0/8\n")
    haproxy = start(
        "frontend f\n bind 127.0.0.1:8000\n http-request deny unless { src -f allowed.lst }\n"
        " use_backend %[path,map_beg(routes.map)]\nbackend one\n"
    )
    assert can.patterns
    assert haproxy.ask("prepare map routes.map") == "New version created: 1"
    assert haproxy.ask("add map @1 routes.map", payload="/new two words\n/b c") == ""
    assert entries(haproxy.ask("show map routes.map")) == ["/old one"]
    haproxy.tell("commit map @1 routes.map")
    assert entries(haproxy.ask("show map routes.map")) == ["/new two words", "/b c"]
    assert haproxy.ask("prepare acl allowed.lst") == "New version created: 1"
    haproxy.tell(
        "add acl @1 allowed.lst 127.0.0.0/8", "add acl @1 allowed.lst ::1", "commit acl @1 allowed.lst"
    )
    assert entries(haproxy.ask("show acl allowed.lst")) == ["127.0.0.0/8", "::1"]


def test_a_longer_command_is_not_done(start: Start, version: str, tmp_path: Path) -> None:
    (tmp_path / "m.map").touch()
    haproxy = start("frontend f\n bind 127.0.0.1:8000\n use_backend %[path,map(m.map)]\n")
    command = "add map m.map"
    longest = "k" * (LONGEST_COMMAND - len(command) - len(" <<\n v\n\n")) + " v"
    assert haproxy.ask(command, payload=longest) == ""
    assert len(entries(haproxy.ask("show map m.map"))) == 1
    said = haproxy.ask(command, payload="\n".join(f"{number:08} v" for number in range(2000)))
    assert said.startswith("" if version == "2.6" else "The command is too big")
    assert len(entries(haproxy.ask("show map m.map"))) == 1


def test_an_open_transaction_stands_in_the_way_of_every_other(start: Start, tmp_path: Path) -> None:
    root = Authority()
    first, other = root.issue("a.test"), root.issue("b.test")
    first.write(tmp_path / "a.pem")
    haproxy = start("frontend f\n bind 127.0.0.1:8443 ssl crt a.pem\n")
    haproxy.ask("new ssl cert b.pem")
    haproxy.ask("set ssl cert b.pem", payload=(other.pem + other.key_pem).decode())
    assert "*b.pem" in haproxy.ask("show ssl cert")  # its connection has ended
    told = haproxy.ask("set ssl cert a.pem", payload=(first.pem + first.key_pem).decode())
    assert "b.pem" in told.splitlines()[0]
    if told.startswith("Transaction updated"):
        waiting = haproxy.ask("show ssl cert *b.pem")
        assert first.fingerprint in waiting
    haproxy.ask("abort ssl cert b.pem")
    assert "Status: Empty" in haproxy.ask("show ssl cert b.pem")
    haproxy.ask("set ssl cert b.pem", payload=(other.pem + other.key_pem).decode())
    assert haproxy.ask("commit ssl cert b.pem").endswith("Success!")


def test_certificates_are_replaced_and_come_and_go(start: Start, can: Capabilities, tmp_path: Path) -> None:
    root = Authority()
    first, second, other = (root.issue(name) for name in ("a.test", "a.test", "b.test"))
    first.write(tmp_path / "a.pem")
    (tmp_path / "list").write_text("a.pem\n")
    haproxy = start("frontend f\n bind 127.0.0.1:8443 ssl crt-list list\n")
    assert can.crt_list
    assert served("a.test") == first.certificate.serial_number
    haproxy.ask("set ssl cert a.pem", payload=(second.pem + second.key_pem).decode())
    assert haproxy.ask("commit ssl cert a.pem") == "Committing a.pem.\nSuccess!"
    assert served("a.test") == second.certificate.serial_number
    assert f"SHA1 FingerPrint: {second.fingerprint}" in haproxy.ask("show ssl cert a.pem")
    haproxy.ask("new ssl cert b.pem")
    haproxy.ask("set ssl cert b.pem", payload=(other.pem + other.key_pem).decode())
    assert haproxy.ask("commit ssl cert b.pem").endswith("Success!")
    assert haproxy.ask("add ssl crt-list list", payload="b.pem [alpn h2] b.test").endswith("Success!")
    assert served("b.test") == other.certificate.serial_number
    assert "in use" in haproxy.ask("del ssl cert b.pem")
    assert haproxy.ask("del ssl crt-list list b.pem") == "Entry 'b.pem' deleted in crtlist 'list'!"
    assert haproxy.ask("del ssl cert b.pem") == "Certificate 'b.pem' deleted!"
    assert served("b.test") == second.certificate.serial_number
    assert "default certificate" in haproxy.ask("del ssl crt-list list a.pem")


def test_authorities_are_replaced_for_binds_and_not_for_servers(
    start: Start, can: Capabilities, tmp_path: Path
) -> None:
    right, wrong = Authority("right"), Authority("wrong")
    right.issue("a.test").write(tmp_path / "a.pem")
    (tmp_path / "clients.pem").write_bytes(wrong.pem)
    (tmp_path / "servers.pem").write_bytes(right.pem)
    haproxy = start(
        "frontend f\n bind 127.0.0.1:8443 ssl crt a.pem ca-file clients.pem verify optional\n"
        " bind 127.0.0.1:8444 ssl crt a.pem\n http-request return status 200\n"
        "backend be\n server s 127.0.0.1:8444 ssl verify required ca-file servers.pem check inter 50\n"
    )
    assert can.ca_file
    for name, places in (("clients.pem", "."), ("servers.pem", "")):
        authority = right if places else wrong
        assert haproxy.ask(f"set ssl ca-file {name}", payload=authority.pem.decode()).startswith(
            "transaction created"
        )
        assert haproxy.ask(f"commit ssl ca-file {name}") == f"Committing {name}{places}\nSuccess!"
        assert f"Subject: /CN={authority.name}" in haproxy.ask(f"show ssl ca-file {name}")
    haproxy.tell("set server be/s state drain", "set server be/s health down", "set server be/s state ready")
    assert up(haproxy, "s")  # though what HAProxy shows would refuse it
    haproxy.ask("set ssl ca-file clients.pem", payload=right.pem.decode())
    more = haproxy.ask("add ssl ca-file clients.pem", payload=wrong.pem.decode())
    assert more.startswith("transaction updated" if can.ca_file_parts else "Unknown command")
    haproxy.ask("commit ssl ca-file clients.pem")
    shown = haproxy.ask("show ssl ca-file clients.pem")
    assert ("Certificate #2" in shown) is can.ca_file_parts


def test_a_reload_says_how_it_went(start: Start, can: Capabilities, tmp_path: Path) -> None:
    haproxy = start(WEB)
    good = haproxy.master("reload")
    assert good.startswith("Success=1") is can.reload_says
    eventually(lambda: "worker" in haproxy.master("show proc"))
    with (tmp_path / "haproxy.cfg").open("a") as file:
        file.write("nonsense\n")
    bad = haproxy.master("reload")
    assert bad.startswith("Success=0") is can.reload_says
    assert ("nonsense" in bad) is can.reload_says
    eventually(lambda: "[failed: 1]" in haproxy.master("show proc"))


@pytest.mark.parametrize("transport", ["ssl verify required ca-file wrong.pem", "send-proxy"])
def test_a_new_servers_check_says_its_transport_itself(start: Start, transport: str, tmp_path: Path) -> None:
    """A check without it is plain TCP: up where TLS would fail, down where the PROXY protocol is asked for."""
    Authority().issue("a.test").write(tmp_path / "a.pem")
    (tmp_path / "wrong.pem").write_bytes(Authority("wrong").pem)
    tls = "ssl" in transport
    haproxy = start(
        f"frontend f\n bind 127.0.0.1:8443 {'ssl crt a.pem' if tls else 'accept-proxy'}\n http-request return status 200\n"
        f"backend be\n option {'tcp-check' if tls else 'httpchk'}\n server s 127.0.0.1:8443 {transport} check inter 50\n"
    )
    for name, own in (("plain", ""), ("own", "check-ssl" if tls else "check-send-proxy")):
        reply = haproxy.ask(
            f"add server be/{name} 127.0.0.1:8443 {transport} check inter 50 rise 1 fall 1 {own}"
        )
        assert reply == "New server registered."
        haproxy.tell(f"enable health be/{name}", f"set server be/{name} state drain")
    wanted = {"plain": "2" if tls else "0", "own": "0" if tls else "2"}
    for name, state in wanted.items():
        haproxy.tell(f"set server be/{name} health {'down' if state == '2' else 'up'}")
        eventually(lambda name=name, state=state: (haproxy.state("be", name) or {})["srv_op_state"] == state)


def entries(dump: str) -> list[str]:
    return [line.partition(" ")[2] for line in dump.splitlines()]


def served(name: str) -> int:
    """The serial number of the certificate that a client gets that asks for `name`."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", 8443)) as raw,
        context.wrap_socket(raw, server_hostname=name) as client,
    ):
        found = client.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).serial_number


def up(haproxy: Bare, server: str) -> bool:
    return eventually(lambda: (haproxy.state("be", server) or {})["srv_op_state"] == "2")
