"""A question is all of a check that a conversation needs, and travels as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from lbkit.health.asking import Traffic, question_of
from lbkit.health.question import Question, ServerTls
from lbkit.health.spec import HealthCheck
from tests.health.strategies import checks

TLS = st.none() | st.builds(ServerTls, st.none() | st.just("PEM"), st.none() | st.just("app.example.test"))
TRAFFIC = st.builds(Traffic, TLS, st.sampled_from([0, 1, 2]), st.floats(0.1, 60))


@given(checks, TRAFFIC)
def test_it_is_the_same_after_a_journey(check: HealthCheck, traffic: Traffic) -> None:
    question = question_of(check, traffic, host="shop")
    assert Question.from_data(json.loads(json.dumps(question.as_data()))) == question


def test_an_ordinary_check_asks_for_a_connection_alone() -> None:
    assert question_of(HealthCheck()) == Question()
    assert Question().is_silent


def test_a_port_of_its_own_goes_another_way_than_the_traffic() -> None:
    traffic = Traffic(ServerTls("PEM", "app.example.test"), proxy_protocol=2)
    same = question_of(HealthCheck(), traffic)
    assert (same.tls, same.proxy_protocol) == (traffic.tls, 2)
    other = question_of(HealthCheck(port=81), traffic)
    assert (other.tls, other.proxy_protocol) == (None, 0)
    checked = question_of(HealthCheck(protocol="tls", port=81, server_name="b.example.test"), traffic)
    assert checked.tls == ServerTls("PEM", "b.example.test")


def test_who_asks_in_a_guest_needs_the_standard_library_alone() -> None:
    code = "import sys, lbkit.health.probe; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert not names & {"pydantic", "pydantic_core", "yaml", "cryptography"}
