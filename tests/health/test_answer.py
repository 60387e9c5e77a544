"""What a server says, cut anywhere: the verdict is that of the whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.health.answer import MOST_BYTES, judge
from lbkit.health.asking import question_of
from lbkit.health.question import Question
from lbkit.health.spec import HealthCheck

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n<o\r\n2\r\nk>\r\n0\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ok>"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\n<ok>"
BODY: dict[str, Any] = {"protocol": "http", "expect": {"body": "ok"}}


def question(check: dict[str, Any]) -> Question:
    return question_of(HealthCheck.model_validate(check))


def final(check: dict[str, Any], said: bytes) -> str:
    verdict = judge(question(check), said, ended=True)
    assert verdict is not None
    return verdict.code


@pytest.mark.parametrize("answer", [CHUNKED, LENGTH, UNTIL_CLOSE])
@given(cut=st.integers(0, 90))
def test_a_part_of_a_good_answer_is_good_or_waited_on(answer: bytes, cut: int) -> None:
    assert final(BODY, answer) == "L7OK"
    verdict = judge(question(BODY), answer[:cut], ended=False)
    assert verdict is None or verdict.code == "L7OK"


@given(st.binary(max_size=200), st.booleans())
def test_whatever_is_said_is_judged(noise: bytes, http: bool) -> None:  # noqa: FBT001
    check = BODY if http else {"expect": {"answer_regex": "^ok"}}
    for said in (noise, b"HTTP/1.1 " + noise, b"HTTP/1.1 200 OK\r\n" + noise + b"\r\n\r\n" + noise):
        assert final(check, said) in {"L7OK", "L7RSP", "L7STS"}
        judge(question(check), said, ended=False)


def test_an_endless_answer_is_judged_by_its_beginning() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MOST_BYTES
    verdict = judge(question(BODY), answer, ended=False)
    assert verdict is not None
    assert verdict.code == "L7RSP"
    assert "the body has no 'ok'" in verdict.words


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "L7RSP"),
        (b"SSH-2.0-OpenSSH\r\n", "L7RSP"),
        (b"HTTP/1.1 200 OK\r\n", "L7RSP"),
        (b"HTTP/1.1 banana\r\n\r\n", "L7RSP"),
        (b"HTTP/1.1 503 No\r\n\r\nok", "L7STS"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "L7OK"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbanana", "L7RSP"),
    ],
)
def test_answers_that_end_so(said: bytes, code: str) -> None:
    assert final(BODY, said) == code
