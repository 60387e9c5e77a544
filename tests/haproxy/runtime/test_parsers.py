"""Answers as data, from replies recorded of 2.6 and 3.0."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.haproxy.runtime import parse_servers_state, parse_stat, state_of
from lbkit.haproxy.runtime.certificates import parse_certificate, parse_certificates
from lbkit.haproxy.runtime.crt_list import parse_crt_list
from lbkit.haproxy.runtime.patterns import parse_entries, parse_lists
from lbkit.haproxy.runtime.servers_state import Admin, Check, CheckResult, OpState
from lbkit.haproxy.runtime.table import parse_table
from tests.haproxy.runtime.peer import recorded

both = pytest.mark.parametrize("version", ["2.6", "3.0"])


def test_statistics_as_rows() -> None:
    rows = {(row.proxy, row.server): row for row in parse_stat(recorded("stat-2.6"))}
    assert [key for key, row in rows.items() if row.is_server] == [("web", f"web-{n}") for n in (1, 2, 3, 4)]
    assert [row.up for row in rows.values() if row.is_server] == [True, False, False, False]
    assert rows["web", "web-1"].weight == 3
    assert rows["web", "web-1"].limit == 0
    assert rows["http", "FRONTEND"].limit == 2000
    assert (rows["web", "web-1"].check, rows["web", "web-1"].code) == ("L7OK", "200")
    assert (rows["web", "web-2"].check, rows["web", "web-2"].words) == ("L4CON", "Layer4 connection problem")
    assert rows["web", "web-3"].backup
    assert rows["web", "web-4"].status == "DRAIN"
    assert rows["web", "web-4"].address == "[::1]:9004"
    assert not rows["web", "BACKEND"].backup


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_words_of_a_server_stay_in_their_row(words: str) -> None:
    """HAProxy quotes a field of what a server said where it has a quote, a comma or a line end (RFC 4180)."""
    bare = words and not set(words) & set('",\r\n') and not words.isspace()
    field = words if bare else '"' + words.replace('"', '""') + '"'
    rows = list(parse_stat(recorded("stat-2.6").replace("Unsupported method ('HEAD')", field)))
    assert [row.server for row in rows] == [row.server for row in parse_stat(recorded("stat-2.6"))]
    row = next(row for row in rows if row.server == "web-3")
    assert row.detail == words
    assert row.words == "Layer7 wrong status"


@both
def test_servers_states(version: str) -> None:
    one, two, three, four = parse_servers_state(recorded(f"servers-state-kinds-{version}"))
    assert (one.key, one.address, one.port) == (("web", "web-1"), "127.0.0.1", 7081)
    assert (one.op_state, one.admin, one.check_result) == (OpState.STOPPED, Admin.NONE, CheckResult.FAILED)
    assert (one.check_port, one.check_address) == (81, "127.0.0.5")
    assert (one.agent_port, one.agent_address) == (9000, "127.0.0.5")
    assert one.check == Check.CONFIGURED | Check.ENABLED
    assert one.check.runs
    assert one.agent == Check.AGENT | Check.CONFIGURED | Check.ENABLED
    assert (two.address, two.weight, two.initial_weight, two.use_ssl) == ("::1", 3, 10, True)
    assert (two.admin, two.admin.drain, two.admin.maint) == (Admin.FORCED_DRAIN, True, False)
    assert not two.check.runs
    assert (three.admin, three.admin.maint) == (Admin.FORCED_MAINT | Admin.CONFIG_MAINT, True)
    assert three.check == Check.PAUSED
    assert (four.fqdn, four.port, four.check_address) == ("localhost", 7084, "")


@pytest.mark.parametrize("text", ["", "2\n# be_id\n", "1\n# be_id be_name other\n", "1 \n", "hello"])
def test_another_form_of_the_servers_state_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match=r"of the form|columns"):
        list(parse_servers_state(text))


def test_a_state_file_keeps_the_lines_of_servers_that_did_not_change() -> None:
    dump = recorded("servers-state-2.6")
    kept = state_of(dump, frozenset({("web", "web-4"), ("web", "gone"), ("other", "web-1")}))
    assert kept.splitlines()[:2] == dump.splitlines()[:2]
    assert [line.split()[3] for line in kept.splitlines()[2:]] == ["web-4"]
    assert state_of(dump, frozenset(("web", f"web-{n}") for n in (1, 2, 3, 4))).split() == dump.split()
    assert list(parse_servers_state("1\n")) == []


@both
def test_maps_and_lists(version: str) -> None:
    (found,) = parse_lists(recorded(f"maps-{version}"))
    assert (found.file, found.current, found.newest, found.entries) == ("maps/http.map", 0, 1, 2)
    first, second, *_ = parse_lists(recorded(f"acls-{version}"))
    assert (first.number, first.file, first.entries) == (0, "maps/allow.acl", 2)
    assert (second.number, second.file) == (1, "")
    entries = list(parse_entries(recorded(f"map-{version}")))
    assert [(entry.key, entry.value) for entry in entries] == [
        ("shop.example.org/", "web"),
        ("www.example.org/a", "api two words"),
    ]
    assert all(entry.reference.startswith("#0x") for entry in entries)
    assert [entry.key for entry in parse_entries(recorded(f"acl-{version}"), keys=False)] == [
        "10.0.0.0/8",
        "2001:db8::/32",
    ]
    assert list(parse_entries("")) == []
    with pytest.raises(ValueError, match="Unknown"):
        list(parse_entries("Unknown map identifier. Please use #<id> or <file>.\n"))


@both
def test_certificates(version: str) -> None:
    found = parse_certificates(recorded(f"ssl-certs-{version}"))
    assert found.files == ("certs/other.pem", "certs/shop.pem")
    assert found.pending == "certs/other.pem"
    one = parse_certificate(recorded(f"ssl-cert-{version}"))
    assert (one.file, one.status, one.algorithm) == ("certs/shop.pem", "Used", "RSA2048")
    assert one.names == ("shop.example.org", "*.shop.example.org")
    assert one.not_after == datetime(2027, 11, 22, 1, 47, 50, tzinfo=UTC)
    assert len(one.sha1) == 40
    assert (one.subject, one.issuer) == ("/CN=shop.example.org", "/O=lbkit/CN=lbkit CA")
    assert one.chain == ("/O=lbkit/CN=lbkit CA",)
    empty = parse_certificate(recorded(f"ssl-cert-empty-{version}"))
    assert (empty.file, empty.status, empty.not_after, empty.names) == ("certs/empty.pem", "Empty", None, ())


@both
def test_lists_of_certificates(version: str) -> None:
    first, second, third = parse_crt_list(recorded(f"crt-list-{version}"))
    assert (first.file, first.number, first.reference) == ("certs/shop.pem", 1, "certs/shop.pem:1")
    assert first.options == "alpn h2,http/1.1 ssl-min-ver TLSv1.2"
    assert first.filters == ("shop.example.org", "*.shop.example.org", "!bad.shop.example.org")
    assert (second.reference, second.options, second.filters) == ("certs/other.pem:2", "", ())
    assert (third.reference, third.options, third.filters) == ("certs/shop.pem:3", "", ("again.example.org",))


@both
def test_stick_tables(version: str) -> None:
    table = parse_table(recorded(f"table-{version}"))
    assert (table.name, table.kind, table.size, table.used) == ("st", "string", 1024, 2)
    plain, weird = table.entries
    assert (plain.key, plain.uses, plain.data["gpc0"], plain.data["http_req_rate"]) == ("plain", 0, 5, 0)
    assert (weird.key, weird.data["gpc0"], weird.data["http_req_cnt"]) == ("we ird use=1 exp=2", 7, 2)


def test_ten_thousand_servers_are_read_in_one_go() -> None:
    head, *rows = recorded("stat-2.6").splitlines()
    line = next(line for line in rows if line.startswith("web,web-1"))
    statistics = "\n".join([head, *(line.replace("web-1", f"web-{n}") for n in range(10_000))])
    version, columns, state, *_ = recorded("servers-state-2.6").splitlines()
    states = "\n".join([version, columns, *(state.replace("web-1", f"web-{n}") for n in range(10_000))])
    began = time.process_time()
    assert sum(row.up for row in parse_stat(statistics)) == 10_000
    assert len({each.key for each in parse_servers_state(states)}) == 10_000
    assert time.process_time() - began < 5  # far above what it takes: it is not quadratic


def test_rows_are_small() -> None:
    """Names, states and words that many rows share are kept once."""
    head, *rows = recorded("stat-2.6").splitlines()
    line = next(line for line in rows if line.startswith("web,web-1"))
    text = "\n".join([head, *(line.replace("web-1", f"web-{n}") for n in range(2_000))])
    tracemalloc.start()
    try:
        kept = list(parse_stat(text))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(kept) < 600
