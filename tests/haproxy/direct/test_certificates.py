"""Certificates of a HAProxy that runs, of both versions: clients get the new one, and nobody is refused meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lbkit.base.errors import Failure, Mistake
from lbkit.base.secrets import Secret
from lbkit.engine.plan import Plan
from lbkit.haproxy.direct import crt_file
from lbkit.haproxy.direct.certificates import apply_certificate, plan_certificate
from lbkit.haproxy.direct.given import Given, read_certificate
from lbkit.haproxy.direct.stepping import Stopped
from lbkit.haproxy.direct.wanted_certificate import WantedCertificate
from tests.haproxy.bare import Bare, running
from tests.haproxy.tls.authority import Authority, Issued
from tests.haproxy.tls.clients import handshake, steady_clients, trusting
from tests.haproxy.versions import VERSIONS, program

ROOT = Authority()
BETWEEN = Authority("Between, of Größe", ROOT)
A, B, C = (BETWEEN.issue(f"{name}.example.org") for name in "abc")
NEW = BETWEEN.issue("a.example.org", "more.example.org")
PORT, OTHER = 9443, 9444
CONFIG = f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend f
    bind 127.0.0.1:{PORT} ssl crt-list list
    bind 127.0.0.1:{OTHER} ssl crt c.pem
    http-request return status 200
"""
real = pytest.mark.sandbox


@pytest.fixture(params=VERSIONS)
def haproxy(netns: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bare]:
    A.write(tmp_path / "a.pem", BETWEEN.pem)
    C.write(tmp_path / "c.pem", BETWEEN.pem)
    (tmp_path / "list").write_text("# what we serve\na.pem\n")
    with running(program(request.param), tmp_path, CONFIG) as made:
        yield made


def at(haproxy: Bare) -> str:
    return str(haproxy.folder / "runtime.sock")


def given(issued: Issued, *chain: bytes) -> Given:
    return read_certificate(content=issued.pem + b"".join(chain or [BETWEEN.pem]) + issued.key_pem)


def wanted(name: str, issued: Issued | None, **more: object) -> WantedCertificate:
    return WantedCertificate(name, given(issued) if issued else None, **more)  # type: ignore[arg-type]


def served(name: str, port: int = PORT) -> int:
    return handshake(port, name, trusting(ROOT, check_name=False)).serial


def state_of(haproxy: Bare) -> str:
    return haproxy.ask("show ssl cert", "show ssl crt-list -n list")


def carried_out(haproxy: Bare, want: WantedCertificate) -> Plan:
    before = state_of(haproxy)
    planned = plan_certificate(at(haproxy), want)
    assert state_of(haproxy) == before
    done = apply_certificate(at(haproxy), want, promised=planned)
    assert done.as_data() == planned.as_data()
    assert not plan_certificate(at(haproxy), want)
    told = json.dumps(done.as_data())
    assert "PRIVATE" not in told
    assert "BEGIN" not in told
    return done


@real
def test_clients_get_the_new_certificate_and_none_is_refused(haproxy: Bare) -> None:
    assert not plan_certificate(at(haproxy), wanted("a.pem", A))
    with steady_clients(PORT, ["a.example.org"], trusting(ROOT)) as clients:
        for issued in (NEW, A, NEW):
            done = carried_out(haproxy, wanted("a.pem", issued))
            assert served("a.example.org") == issued.serial
    assert clients.failed == []
    (change,) = done.changes
    assert (str(change), change.reason) == ("update certificate a.pem", "another certificate")
    assert change.after is not None
    assert change.after["names"] == ["a.example.org", "more.example.org"]
    assert len(change.after["fingerprint"]) == 64
    assert change.steps[-1] == "commit ssl cert a.pem"
    assert "live only" in done.notes[0]


@real
def test_another_chain_is_another_certificate(haproxy: Bare) -> None:
    leaf = WantedCertificate("a.pem", read_certificate(content=A.pem + A.key_pem))
    assert not plan_certificate(at(haproxy), leaf)  # its chain may come from elsewhere
    carried_out(haproxy, wanted("d.pem", B, crt_list="list"))
    alone = Authority("Alone")
    mine = alone.issue("b.example.org")
    carried_out(haproxy, WantedCertificate("d.pem", read_certificate(content=mine.pem + mine.key_pem)))
    whole = WantedCertificate("d.pem", read_certificate(content=mine.pem + mine.key_pem + alone.pem))
    assert not plan_certificate(at(haproxy), whole)  # a root is no part of a chain
    apply_certificate(at(haproxy), WantedCertificate("d.pem", given(B)))
    haproxy.ask("set ssl cert d.pem", payload=(B.pem + B.key_pem).decode())
    haproxy.ask("commit ssl cert d.pem")
    assert [change.reason for change in carried_out(haproxy, wanted("d.pem", B)).changes] == ["another chain"]


@real
def test_a_new_one_comes_into_a_list_for_its_names_and_goes(haproxy: Bare) -> None:
    done = carried_out(
        haproxy, wanted("b.pem", B, crt_list="list", names=("b.example.org", "*.b.example.org"))
    )
    assert [str(change) for change in done.changes] == ["create certificate b.pem", "update crt-list list"]
    assert served("b.example.org") == served("x.b.example.org") == B.serial
    assert served("a.example.org") == A.serial
    assert not plan_certificate(at(haproxy), wanted("b.pem", B, crt_list="list"))  # of any names
    carried_out(haproxy, wanted("b.pem", B, crt_list="list", names=("only.example.org",)))
    assert (served("b.example.org"), served("only.example.org")) == (A.serial, B.serial)
    with pytest.raises(Failure, match=r"in use by list\n.*name that list"):
        plan_certificate(at(haproxy), wanted("b.pem", None))
    carried_out(haproxy, wanted("b.pem", None, crt_list="list"))
    assert served("only.example.org") == A.serial
    assert haproxy.ask("show ssl cert").splitlines() == ["# filename", "a.pem", "c.pem"]


@real
def test_one_that_is_in_use_stays_and_says_why(haproxy: Bare) -> None:
    before = state_of(haproxy)
    with pytest.raises(Failure, match="in use by a `bind`"):
        apply_certificate(at(haproxy), wanted("c.pem", None))
    with pytest.raises(Stopped, match="used as default certificate"):
        apply_certificate(at(haproxy), wanted("a.pem", None, crt_list="list"))
    assert state_of(haproxy) == before
    with pytest.raises(Failure, match=r"did you mean 'a\.pem'"):
        plan_certificate(at(haproxy), wanted("aa.pem", A))
    with pytest.raises(Failure, match="did you mean 'list'"):
        plan_certificate(at(haproxy), wanted("a.pem", A, crt_list="lists"))
    assert not plan_certificate(at(haproxy), wanted("none.pem", None))


@real
def test_it_outlives_a_restart_where_it_is_to(haproxy: Bare) -> None:
    folder = haproxy.folder
    more = {"crt_list": "list", "names": ("b.example.org",), "persist": True, "folder": folder}
    done = carried_out(haproxy, wanted("b.pem", B, **more))
    assert [step for change in done.changes for step in change.steps][-2:] == [
        f"write {folder / 'b.pem'}",
        f"write {folder / 'list'}",
    ]
    assert (folder / "b.pem").stat().st_mode & 0o777 == 0o600
    assert (folder / "list").read_text() == "# what we serve\na.pem\nb.pem b.example.org\n"
    (folder / "a.pem").chmod(0o644)
    carried_out(haproxy, wanted("a.pem", NEW, persist=True, folder=folder))
    assert (folder / "a.pem").stat().st_mode & 0o777 == 0o600
    (folder / "a.pem").chmod(0o640)  # others may read the key: the next run mends that
    mended = carried_out(haproxy, wanted("a.pem", NEW, persist=True, folder=folder))
    assert [change.reason for change in mended.changes] == [
        "read at the next start: others could read its key"
    ]
    with running(program(haproxy.ask("show version")[:3]), folder, CONFIG) as restarted:
        for want in (wanted("b.pem", B, **more), wanted("a.pem", NEW)):
            assert not plan_certificate(at(restarted), want)
        carried_out(restarted, WantedCertificate("b.pem", None, "list", persist=True, folder=folder))
    assert not (folder / "b.pem").exists()
    assert (folder / "list").read_text() == "# what we serve\na.pem\n"


KILLED = """
import os, signal, sys
from pathlib import Path
from lbkit.haproxy.direct.certificates import apply_certificate
from lbkit.haproxy.direct.given import read_certificate
from lbkit.haproxy.direct.wanted_certificate import WantedCertificate
from lbkit.haproxy.runtime import Runtime

run = Runtime.run

def killed_before_the_commit(self, commands, **more):
    commands = list(commands)
    if str(commands[-1]).startswith("commit ssl cert"):
        run(self, commands[:-1], **more)
        os.kill(os.getpid(), signal.SIGKILL)
    return run(self, commands, **more)

Runtime.run = killed_before_the_commit
socket, source, name = sys.argv[1:]
apply_certificate(socket, WantedCertificate(name, read_certificate([Path(source)]), "list"))
"""


@real
@pytest.mark.parametrize("name", ["a.pem", "b.pem"])
def test_one_that_is_killed_before_its_commit_is_in_nobodys_way(haproxy: Bare, name: str) -> None:
    source = B.write(haproxy.folder / "given.pem", BETWEEN.pem)
    killed = subprocess.run([sys.executable, "-c", KILLED, at(haproxy), source, name], check=False)
    assert killed.returncode == -9
    assert f"*{name}" in haproxy.ask("show ssl cert")
    assert served("a.example.org") == A.serial
    other = plan_certificate(at(haproxy), wanted("c.pem", C))
    assert not other  # nothing to do: what another has begun is its own
    done = carried_out(haproxy, wanted("c.pem", NEW))
    assert f"a change of {name} that somebody had begun is dropped" in done.notes
    assert done.changes[0].steps[0] == f"abort ssl cert {name}"
    assert served("c.example.org", OTHER) == NEW.serial
    carried_out(haproxy, wanted(name, B, crt_list="list"))
    assert served("b.example.org") == B.serial
    assert "*" not in haproxy.ask("show ssl cert")


@real
def test_what_haproxy_refuses_leaves_nothing_begun(haproxy: Bare) -> None:
    torn = replace(given(B), pem=Secret(B.pem + A.key_pem))
    before = state_of(haproxy)
    for want in (WantedCertificate("a.pem", torn), WantedCertificate("b.pem", torn, "list")):
        with pytest.raises(Stopped, match="nothing was changed") as caught:
            apply_certificate(at(haproxy), want)
        assert "PRIVATE" not in json.dumps(caught.value.as_data())
        assert state_of(haproxy) == before


def test_what_is_given_is_checked_before_it_is_sent(tmp_path: Path) -> None:
    expired = ROOT.issue("a.example.org", days=-1)
    for content, words in (
        (A.pem + B.key_pem, "a key of none of"),
        (A.pem, "give the key's file too"),
        (A.key_pem, "a private key alone"),
        (expired.pem + expired.key_pem, "it expired at"),
        (b"", "an empty file"),
    ):
        with pytest.raises(Mistake, match=words) as caught:
            read_certificate(content=content)
        assert "PRIVATE KEY-" not in str(caught.value)
    with pytest.raises(Mistake, match="neither a file nor its content"):
        read_certificate()
    (tmp_path / "full.pem").write_bytes(A.pem + BETWEEN.pem + ROOT.pem)
    (tmp_path / "key.pem").write_bytes(A.key_pem)
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(Mistake, match="readable by its owner alone"):
        read_certificate([tmp_path / "full.pem", tmp_path / "key.pem"])
    (tmp_path / "key.pem").chmod(0o600)
    found = read_certificate([tmp_path / "full.pem", tmp_path / "key.pem"])
    assert found == given(A)
    assert "PRIVATE" not in repr(found)
    assert found.not_after > datetime.now(UTC)
    assert found.chain == ("/CN=Between, of Größe",)


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.pem\nadd map", "the name of a certificate's file"), ("*a", "file"), ("a b", "file"), ("", "file")],
)
def test_names_that_haproxy_would_misread_are_refused(name: str, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        wanted(name, A).check()
    with pytest.raises(Mistake, match="a crt-list was wanted"):
        wanted("a.pem", A, names=("a",)).check()
    with pytest.raises(Mistake, match="a name that clients ask for"):
        wanted("a.pem", A, crt_list="list", names=("a]",)).check()


def test_the_file_of_a_list_keeps_what_is_not_meant() -> None:
    text = b"# head\n/etc/a.pem [alpn h2] A.example.org\nb.pem\n\n/etc/a.pem other\n"
    edited = crt_file.edited(text, "/etc/a.pem", ("a.example.org",), absent=False)
    assert edited == b"# head\n/etc/a.pem [alpn h2] A.example.org\nb.pem\n\n"
    assert crt_file.edited(text, "/etc/a.pem", None, absent=False) == text
    assert crt_file.edited(text, "/etc/b.pem", None, absent=False) == text  # its name begins in crt-base
    assert crt_file.edited(text, "/etc/a.pem", None, absent=True) == b"# head\nb.pem\n\n"
    assert crt_file.edited(b"b.pem", "c.pem", ("x", "y"), absent=False) == b"b.pem\nc.pem x y\n"
    assert crt_file.edited(b"b.pem", "c.pem", None, absent=True) == b"b.pem"
