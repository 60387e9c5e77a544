"""The Runtime API of running HAProxys, of both versions."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Bug
from lbkit.haproxy.runtime import Command, RuntimeFailure, ServerState, questions, show
from lbkit.haproxy.runtime import commands as give
from lbkit.haproxy.runtime.aio import AsyncRuntime
from lbkit.haproxy.runtime.command import ANSWER, LIMIT
from lbkit.haproxy.runtime.servers_state import Admin, Check
from tests.haproxy.runtime.daemon import SERVERS, Daemon, certificate, haproxy
from tests.haproxy.versions import VERSIONS

pytestmark = pytest.mark.sandbox

MAP, ACL, LIST = "maps/http.map", "maps/allow.acl", "certs/list"


@pytest.fixture(params=VERSIONS, scope="module")
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One HAProxy for the tests of a version, which leave in it what they found."""
    with haproxy(request.param, tmp_path_factory.mktemp("haproxy")) as running:
        yield running


@pytest.fixture(params=VERSIONS)
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    with haproxy(request.param, tmp_path) as running:
        yield running


def test_twenty_thousand_commands_that_answer(daemon: Daemon) -> None:
    """More than any buffer holds, each way: it would stand still if replies were read after writing."""
    batch = [Command(f"get weight big/s{number % SERVERS + 1}", ANSWER) for number in range(20_000)]
    with daemon.runtime() as runtime:
        assert runtime.run(batch, window=len(batch)) == ["1 (initial 1)"] * 20_000
        assert runtime.run(batch) == ["1 (initial 1)"] * 20_000
        assert len(runtime.run([Command("show servers state", ANSWER)] * 100, window=100)[-1]) > 30_000


def test_a_failing_command_in_the_middle(daemon: Daemon) -> None:
    names = [*(f"s{number}" for number in range(1, 6)), "none", *(f"s{number}" for number in range(6, 20))]
    batch = [give.set_weight("big", name, 7) for name in names]
    with daemon.runtime() as runtime:
        with pytest.raises(RuntimeFailure, match="set server big/none weight 7") as caught:
            runtime.run(batch, window=10)
        assert caught.value.found.startswith("No such server.; 5 before it were done; sent with it and done")
        done = {each.server for each in runtime.servers() if each.backend == "big" and each.weight == 7}
        later = [each.command.split("/")[1].split()[0] for each in caught.value.later]
        assert done == {*names[:5], *later}
        assert len(later) <= 9
        runtime.run([give.set_weight("big", name, 1) for name in done])
        with pytest.raises(RuntimeFailure) as caught:
            runtime.run(batch, window=1)
        assert caught.value.later == ()
        runtime.run([give.set_weight("big", name, 1) for name in names[:5]])


def test_a_server_from_its_birth_to_its_end(daemon: Daemon) -> None:
    with daemon.runtime() as runtime:
        keywords: list[str | int] = [
            "weight",
            3,
            "maxconn",
            9,
            "check",
            "inter",
            "1h",
            "agent-check",
            "agent-port",
            5,
        ]
        runtime.do(give.add_server("web", "new", "127.0.0.1:9", keywords))
        with pytest.raises(RuntimeFailure, match="Already exists"):
            runtime.do(give.add_server("web", "new", "127.0.0.1:9"))
        new = state(daemon, "web", "new")
        assert (new.admin, new.weight) == (Admin.FORCED_MAINT, 3)
        assert not new.check & Check.ENABLED
        runtime.run(
            [
                give.enable_health("web", "new"),
                give.enable_agent("web", "new"),
                give.set_addr("web", "new", "127.0.0.2"),
                give.set_addr("web", "new", "127.0.0.2"),  # no need to
                give.set_addr("web", "new", "127.0.0.2", 10),
                give.set_addr("web", "new", "::1", 11),
                give.set_addr("web", "new", "::1", 11),
                give.set_check_port("web", "new", 80),
                give.set_check_addr("web", "new", "127.0.0.3", 81),
                give.set_agent_addr("web", "new", "127.0.0.4", 82),
                give.set_agent_port("web", "new", 83),
                give.set_agent_send("web", "new", "how; are \\ you"),
                give.set_agent("web", "new", "down"),
                give.set_agent("web", "new", "up"),
                give.set_health("web", "new", "down"),
                give.set_health("web", "new", "stopping"),
                give.set_state("web", "new", "drain"),
                give.set_weight("web", "new", 5),
                give.set_server_maxconn("web", "new", 4),
            ]
        )
        new = state(daemon, "web", "new")
        assert (new.address, new.port, new.weight, new.initial_weight) == ("::1", 11, 5, 3)
        assert new.admin.drain
        assert not new.admin.maint
        assert new.check & Check.ENABLED
        assert (new.check_address, new.check_port) == ("127.0.0.3", 81)
        assert (new.agent_address, new.agent_port) == ("127.0.0.4", 83)
        row = next(row for row in runtime.stat() if (row.proxy, row.server) == ("web", "new"))
        assert (row.limit, row.status.split()[0], row.up) == (4, "DRAIN", False)
        with pytest.raises(RuntimeFailure, match="maintenance mode"):
            runtime.do(give.del_server("web", "new"))
        runtime.run(
            [
                give.disable_agent("web", "new"),
                give.disable_health("web", "new"),
                give.set_state("web", "new", "maint"),
                give.shutdown_sessions("web", "new"),
                give.del_server("web", "new"),
            ]
        )
        with pytest.raises(RuntimeFailure, match="No such server"):
            runtime.do(give.del_server("web", "new"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (give.set_addr("none", "a", "127.0.0.1"), "No such backend"),
        (give.set_check_port("web", "b", 80), "health checks are not enabled"),
        (give.enable_health("web", "b"), "not configured"),
        (give.enable_agent("web", "b"), "not configured"),
        (give.set_agent("web", "b", "up"), "agent checks are not enabled"),
        (give.set_tls("web", "b", on=True), "cannot be set"),
        (give.set_fqdn("web", "b", "a.example.org"), "no resolution is configured"),
        (give.add_server("web", "n", "127.0.0.1:1", ["bogus"]), "unknown keyword 'bogus'"),
        (give.add_server("none", "n", "127.0.0.1:1"), "No such backend"),
        (give.set_global_maxconn(10_000), "Value out of range"),
        (give.set_frontend_maxconn("none", 10), "No such frontend"),
        (give.set_map(MAP, "none", "x"), "entry not found"),
        (give.del_map(MAP, "none"), "Key not found"),
        (give.commit_map(MAP, 99), "out of range"),
        (give.add_map("none", "a", "b"), "Unknown map"),
        (give.add_acl(ACL, "hello"), "not a valid IPv4 or IPv6 address"),
        (give.clear_acl("none"), "Unknown ACL"),
        (give.set_cert("none.pem", b"x"), "not referenced"),
        (give.commit_cert("certs/shop.pem"), "No ongoing transaction"),
        (give.abort_cert("certs/shop.pem"), "No ongoing transaction"),
        (give.del_cert("certs/shop.pem"), "in use"),
        (give.add_to_crt_list(LIST, "none.pem"), "does not exist"),
        (give.del_from_crt_list(LIST, "none.pem"), "does not exist"),
        (show.cert("none.pem"), "Not found"),
        (show.crt_list("none"), "didn't find"),
        (show.table("none"), "No such table"),
        (show.servers_state("none"), "Can't find backend"),
        (show.map_entries("none"), "Unknown map"),
        (give.disable_frontend("none"), "No such frontend"),
    ],
    ids=str,
)
def test_a_refusal_is_a_failure_in_haproxys_words(daemon: Daemon, command: Command, words: str) -> None:
    with daemon.runtime() as runtime:
        with pytest.raises(RuntimeFailure, match=words) as caught:
            runtime.do(command)
        assert caught.value.command == str(command)
        assert runtime.info().pid


def test_limits_and_frontends(daemon: Daemon) -> None:
    with daemon.runtime() as runtime:
        runtime.run(
            [
                give.set_global_maxconn(50),
                give.set_global_maxconn(100),
                give.set_frontend_maxconn("f", 20),
                give.clear_table("st", "no;body"),
                give.clear_table("st"),
            ]
        )
        assert next(row for row in runtime.stat() if row.server == "FRONTEND").limit == 20
        assert runtime.read(questions.table("st")).entries == ()
        runtime.ask(r"set table st key a\ key=\;\\use=1 data.gpc0 5")
        (entry,) = runtime.read(questions.table("st")).entries
        assert (entry.key, entry.data["gpc0"]) == (r"a key=;\use=1", 5)
        runtime.do(give.clear_table("st", r"a key=;\use=1"))
        assert runtime.read(questions.table("st")).entries == ()


def test_a_map_is_replaced_at_once(daemon: Daemon) -> None:
    entries = [(f"host-{number}.example.org/", f"web {number}; \\ <<") for number in range(2000)]
    with daemon.runtime() as runtime:
        before = runtime.read(questions.map_entries(MAP))
        version = give.version_created(runtime.ask(give.prepare_map(MAP)))
        added = list(give.add_map_entries(MAP, entries, version=version))
        assert 1 < len(added) < 20
        assert max(command.size for command in added) > LIMIT - 100
        runtime.run(added)
        assert runtime.read(questions.map_entries(MAP)) == before
        assert len(runtime.read(questions.map_entries(MAP, version=version))) == 2000
        runtime.do(give.commit_map(MAP, version))
        assert [(each.key, each.value) for each in runtime.read(questions.map_entries(MAP))] == entries
        (listed,) = runtime.read(questions.MAPS)
        assert (listed.file, listed.entries, listed.current) == (MAP, 2000, version)
        runtime.run(
            [
                give.clear_map(MAP),
                give.add_map(MAP, "shop.example.org/", "x"),
                give.set_map(MAP, "shop.example.org/", "web"),
                give.add_map(MAP, "gone", "x"),
                give.del_map(MAP, "gone"),
            ]
        )
        assert [(each.key, each.value) for each in runtime.read(questions.map_entries(MAP))] == [
            ("shop.example.org/", "web")
        ]


def test_a_list_of_an_acl(daemon: Daemon) -> None:
    with daemon.runtime() as runtime:
        version = give.version_created(runtime.ask(give.prepare_acl(ACL)))
        cidrs = [f"10.{number}.0.0/16" for number in range(200)] + ["2001:db8::/32"]
        runtime.run(give.add_acl(ACL, cidr, version=version) for cidr in cidrs)
        runtime.do(give.commit_acl(ACL, version))
        assert [each.key for each in runtime.read(questions.acl_entries(ACL))] == cidrs
        runtime.run([give.del_acl(ACL, "10.7.0.0/16"), give.clear_acl(ACL), give.add_acl(ACL, "10.0.0.0/8")])
        assert [each.key for each in runtime.read(questions.acl_entries(ACL))] == ["10.0.0.0/8"]
        assert any(each.file == ACL for each in runtime.read(questions.ACLS))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(
            st.text(
                st.one_of(st.characters(codec="utf-8"), st.sampled_from(list("\\; <>'\"#\n\t"))), max_size=20
            ),
            st.text(
                st.one_of(st.characters(codec="utf-8"), st.sampled_from(list("\\; <>'\"#\n\t"))), max_size=20
            ),
        ),
        max_size=10,
    )
)
def test_any_text_arrives_as_it_is_and_nothing_else_does(
    daemon: Daemon, texts: list[tuple[str, str]]
) -> None:
    """By line and by payload alike: HAProxy reads the words that were meant, and no other command."""
    lines, taken = [], []
    for key, value in texts:
        try:
            lines.append(give.add_map(MAP, key, value))
        except Bug:
            continue
        taken.append((key, value))
    with daemon.runtime() as runtime:
        before = runtime.info().pid
        runtime.do(give.clear_map(MAP))
        runtime.run([*lines, *give.add_map_entries(MAP, taken)])
        assert [(each.key, each.value) for each in runtime.read(questions.map_entries(MAP))] == taken * 2
        runtime.run([give.clear_map(MAP), give.add_map(MAP, "shop.example.org/", "web")])
        assert runtime.info().pid == before


def test_certificates_from_new_to_gone(daemon: Daemon) -> None:
    first, second, shop = certificate("one.example.org"), certificate("two.example.org"), certificate("shop")
    with daemon.runtime() as runtime:
        runtime.run([give.new_cert("certs/new.pem"), give.set_cert("certs/new.pem", first)])
        assert runtime.read(questions.CERTIFICATES).pending == "certs/new.pem"
        assert runtime.read(questions.certificate("certs/new.pem")).status == "Empty"
        waiting = runtime.read(questions.certificate("certs/new.pem", pending=True))
        assert waiting.names == ("one.example.org",)
        runtime.run(
            [
                give.set_cert("certs/new.pem", second),  # updates the transaction
                give.abort_cert("certs/new.pem"),
                give.set_cert("certs/new.pem", second.replace(b"\n", b"\r\n") + b"\n\n"),
                give.commit_cert("certs/new.pem"),
                give.add_to_crt_list(LIST, "certs/new.pem"),
                give.add_to_crt_list(
                    LIST,
                    "certs/new.pem",
                    options="alpn h2",
                    filters=("*.two.example.org", "!bad.two.example.org"),
                ),
                give.set_cert("certs/shop.pem", shop),
                give.commit_cert("certs/shop.pem"),
            ]
        )
        used = runtime.read(questions.certificate("certs/new.pem"))
        assert (used.status, used.subject, used.file) == ("Used", "/CN=two.example.org", "certs/new.pem")
        assert used.sha1 == fingerprint(second)
        assert runtime.read(questions.certificate("certs/shop.pem")).sha1 == fingerprint(shop)
        listed = [each for each in runtime.read(questions.crt_list(LIST)) if each.file == "certs/new.pem"]
        assert [(each.options, each.filters) for each in listed] == [
            ("", ()),
            ("alpn h2", ("*.two.example.org", "!bad.two.example.org")),
        ]
        assert runtime.read(questions.CRT_LISTS) == [LIST]
        with pytest.raises(RuntimeFailure, match=r"multiple|line"):
            runtime.do(give.del_from_crt_list(LIST, "certs/new.pem"))
        runtime.run([give.del_from_crt_list(LIST, "certs/new.pem", each.number) for each in listed])
        runtime.do(give.del_cert("certs/new.pem"))
        assert runtime.read(questions.CERTIFICATES).files == ("certs/shop.pem",)


def test_a_key_that_does_not_fit_is_refused_without_its_words(daemon: Daemon) -> None:
    mixed = (
        certificate("a").partition(b"-----BEGIN CERTIFICATE-----")[0]
        + certificate("b").partition(b"-----END PRIVATE KEY-----\n")[2]
    )
    with daemon.runtime() as runtime:
        with pytest.raises(RuntimeFailure, match="inconsistencies between private key and certificate"):
            runtime.run([give.set_cert("certs/shop.pem", mixed), give.commit_cert("certs/shop.pem")])
        runtime.do(give.abort_cert("certs/shop.pem"))
        with pytest.raises(RuntimeFailure, match=r"set ssl cert certs/shop.pem << \(sha256:") as caught:
            runtime.do(give.set_cert("certs/shop.pem", mixed.replace(b"\nM", b"\n")))
        assert "PRIVATE" not in str(caught.value)
        assert runtime.read(questions.CERTIFICATES).pending is None


def test_authorities(daemon: Daemon) -> None:
    pem = certificate("authority").partition(b"-----END PRIVATE KEY-----\n")[2]
    with daemon.runtime() as runtime:
        runtime.run(
            [
                give.new_ca_file("ca.pem"),
                give.set_ca_file("ca.pem", pem),
                give.abort_ca_file("ca.pem"),
                give.set_ca_file("ca.pem", pem),
                give.commit_ca_file("ca.pem"),
                give.del_ca_file("ca.pem"),
            ]
        )


def test_the_largest_command_is_taken(daemon: Daemon) -> None:
    """`LIMIT` is what HAProxy takes, by line and by payload."""
    key = "shop.example.org/"
    room = LIMIT - len(f"set map {MAP} {key} \n")
    with daemon.runtime() as runtime:
        runtime.do(give.set_map(MAP, key, "x" * room))
        assert runtime.read(questions.map_entries(MAP))[0].value == "x" * room
        (whole,) = give.add_map_entries(MAP, [("long", "x" * (LIMIT - len(f"add map {MAP} <<\nlong \n\n")))])
        assert whole.size == LIMIT
        runtime.run([whole, give.del_map(MAP, "long"), give.set_map(MAP, key, "web")])


def test_the_same_by_asyncio(daemon: Daemon) -> None:
    async def talk() -> None:
        async with await AsyncRuntime.connect(str(daemon.folder / "runtime")) as runtime:
            batch = [Command(f"get weight big/s{number % SERVERS + 1}", ANSWER) for number in range(5000)]
            assert await runtime.run(batch, window=5000) == ["1 (initial 1)"] * 5000
            with pytest.raises(RuntimeFailure, match="No such server"):
                await runtime.run([give.set_weight("big", name, 1) for name in ("s1", "none", "s2")])
            assert len(await runtime.servers()) == SERVERS + 2
            assert (await runtime.read(questions.CERTIFICATES)).files == ("certs/shop.pem",)

    asyncio.run(talk())


def test_reloads_good_and_bad(alone: Daemon) -> None:
    clock, master = SystemClock(), alone.master
    first = alone.answer()
    known = master.workers()
    assert first is not None
    assert known is not None
    assert known.current == (first.pid,)

    alone.write(description="second")
    good = master.reload(known, first.pid, alone.answer, clock, 20)
    assert good.worker is not None
    assert good.worker.pid != first.pid
    assert good.worker.description == "second"

    alone.write(description="third", extra="  bogus\n")
    known = master.workers()
    assert known is not None
    assert known.current == (good.worker.pid,)
    bad = master.reload(known, good.worker.pid, alone.answer, clock, 20)
    assert bad.worker is None
    assert not bad.words or "unknown keyword 'bogus'" in bad.words
    still = alone.answer()
    assert still is not None
    assert (still.pid, still.description) == (good.worker.pid, "second")

    alone.write(description="fourth")
    failed = master.workers()
    assert failed is not None
    assert failed.failed == 1
    mended = master.reload(failed, still.pid, alone.answer, clock, 20)
    assert mended.worker is not None
    assert mended.worker.description == "fourth"
    known = master.workers()
    assert known is not None
    assert known.failed == 0


def state(daemon: Daemon, backend: str, server: str) -> ServerState:
    with daemon.runtime() as runtime:
        return next(each for each in runtime.read(questions.servers_of(backend)) if each.server == server)


def fingerprint(pem: bytes) -> str:
    block = pem[pem.index(b"-----BEGIN CERTIFICATE-----") :].decode()
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(block)).hexdigest().upper()
