"""Certificates from any set to any other, cut off anywhere: what runs and what lies on disk is what is wanted, no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lbkit as api
from lbkit.haproxy.transition.planner import Way
from lbkit.haproxy.transition.state import Wanted
from tests.haproxy.model.planned import Lbkit, started, wanted_in
from tests.haproxy.model.stored import fingerprint
from tests.haproxy.tls.authority import Authority
from tests.haproxy.topologies import balancer, document
from tests.haproxy.versions import VERSIONS

NAMES = ("a", "b", "c")
Choice = dict[str, int]
"""Which certificates, and which issue of each."""

choices = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2), min_size=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    authority = Authority()
    for name in NAMES:
        for issue in (1, 2):
            authority.issue(f"{name}.example.org").write(made / f"{name}{issue}.pem")
    return made


def wanted(folder: Path, choice: Choice) -> Wanted:
    front = {"bind": {"port": 443, "tls": {"certificates": list(choice)}}, "backend": "web"}
    shop = balancer(vip=None, frontends={"https": front})
    shop["certificates"] = {name: {"file": f"{name}{issue}.pem"} for name, issue in choice.items()}
    return wanted_in(api.load_data(document(load_balancers={"shop": shop}), folder))


def holds(lbkit: Lbkit, want: Wanted) -> None:
    worker = lbkit.machine.worker
    assert worker is not None
    wants = {path: file.identity for path, file in want.files.items() if path.endswith(".pem")}
    assert {path: fingerprint(pem) for path, pem in worker.certificates.serve.items()} == wants
    kept = {path: content for path, content in lbkit.machine.stored.items() if path.startswith("certs/")}
    assert kept == {path: file.content for path, file in want.files.items()}
    assert lbkit.plan(want).way is Way.NOTHING


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=choices, then=choices, last=choices, version=st.sampled_from(VERSIONS), life=st.integers(0, 15))
def test_certificates_come_and_go_wherever_lbkit_was_cut_off(
    folder: Path, first: Choice, then: Choice, last: Choice, version: str, life: int
) -> None:
    lbkit = started(wanted(folder, first), version=version)
    lbkit.apply(wanted(folder, then), life=life)
    want = wanted(folder, last)
    done = lbkit.apply(want)
    assert not done.failure, done.failure
    holds(lbkit, want)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("first", "then"),
    [({"b": 1}, {"b": 2}), ({"b": 1}, {"b": 1, "a": 1, "c": 1}), ({"a": 1, "b": 1}, {"a": 2})],
)
def test_the_process_serves_on(folder: Path, version: str, first: Choice, then: Choice) -> None:
    lbkit = started(wanted(folder, first), version=version)
    assert lbkit.apply(wanted(folder, then)).way.way is Way.RUNTIME
    holds(lbkit, wanted(folder, then))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_somebody_began_and_left_is_dropped(folder: Path, version: str) -> None:
    lbkit = started(wanted(folder, {"a": 1, "b": 1}), version=version)
    worker = lbkit.machine.worker
    assert worker is not None
    worker.answer("set ssl cert certs/a.pem", (folder / "a2.pem").read_text())
    done = lbkit.apply(wanted(folder, {"a": 1, "b": 2}))
    assert any("was dropped" in note for note in done.notes)
    holds(lbkit, wanted(folder, {"a": 1, "b": 2}))


def with_clients(folder: Path, **authorities: str) -> Wanted:
    """Binds that ask clients for certificates, each with its own authorities."""
    tls = {
        name: {"certificates": ["a"], "client": {"ca": name, "verify": "required"}} for name in authorities
    }
    fronts = {
        name: {"bind": {"port": 443 + number, "tls": tls[name]}, "backend": "web"}
        for number, name in enumerate(authorities)
    }
    shop = balancer(vip=None, frontends=fronts)
    shop["certificates"] = {"a": {"file": "a1.pem"}}
    shop["authorities"] = {name: {"file": file} for name, file in authorities.items()}
    return wanted_in(api.load_data(document(load_balancers={"shop": shop}), folder))


@pytest.fixture(scope="module")
def authorities(folder: Path) -> Path:
    one, two = Authority("One").pem, Authority("Two").pem
    (folder / "one.ca").write_bytes(one)
    (folder / "both.ca").write_bytes(one + two)
    return folder


@pytest.mark.parametrize("life", range(8))
def test_an_authority_more_comes_at_run_time_wherever_lbkit_was_cut_off(authorities: Path, life: int) -> None:
    first = with_clients(authorities, x="one.ca", y="one.ca")
    lbkit = started(first)
    lbkit.apply(with_clients(authorities, x="both.ca", y="one.ca"), life=life)
    # another one now: what was begun of the first must not stand in its way
    want = with_clients(authorities, x="both.ca", y="both.ca")
    done = lbkit.apply(want)
    assert not done.failure, done.failure
    assert done.way.way is Way.RUNTIME
    assert lbkit.plan(want).way is Way.NOTHING
    worker = lbkit.machine.worker
    assert worker is not None
    assert set(worker.certificates.authorities.values()) == {(authorities / "both.ca").read_text().strip()}


def test_an_authority_begun_and_given_up_keeps_no_other_from_changing(authorities: Path) -> None:
    lbkit = started(with_clients(authorities, x="one.ca", y="one.ca"))
    worker = lbkit.machine.worker
    assert worker is not None
    worker.answer("set ssl ca-file certs/x.ca", (authorities / "both.ca").read_text())
    want = with_clients(authorities, x="one.ca", y="both.ca")
    assert not lbkit.apply(want).failure
    assert lbkit.plan(want).way is Way.NOTHING


def test_an_authority_that_goes_is_a_reload(authorities: Path) -> None:
    lbkit = started(with_clients(authorities, x="both.ca"))
    want = with_clients(authorities, x="one.ca")
    way = lbkit.plan(want)
    assert way.way is Way.RELOAD
    assert "loses an authority" in way.reason
    lbkit.settles(want)
