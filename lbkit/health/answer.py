"""What a server said so far, judged as HAProxy does. Pure."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lbkit.health.outcome import Verdict
from lbkit.health.question import Question

if TYPE_CHECKING:
    from http.client import HTTPResponse

MOST_BYTES = 16384
"""Of an answer: what HAProxy looks at (configuration manual, `tune.bufsize`)."""

_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")


def judge(question: Question, said: bytes, *, ended: bool) -> Verdict | None:
    """None: more of the answer is needed. `ended`: there is no more."""
    ended = ended or len(said) >= MOST_BYTES
    return _http(question, said, ended=ended) if question.method else _dialogue(question, said, ended=ended)


def _dialogue(question: Question, said: bytes, *, ended: bool) -> Verdict | None:
    missing = ""
    if question.answer is not None and question.answer not in said:
        missing = "what it says is not the expected answer"
    elif question.answer_regex is not None and not _compiled(question.answer_regex).search(said):
        missing = "what it says does not match the expected answer"
    if not missing:
        return Verdict("L7OK", "it gave the expected answer")
    return Verdict("L7RSP", f"{missing}: {_shown(said)}") if ended else None


def _http(question: Question, said: bytes, *, ended: bool) -> Verdict | None:
    if not b"HTTP/".startswith(said[:5]):
        return Verdict("L7RSP", f"what it answers is not HTTP: {_shown(said)}")
    if not _HEAD_ENDS.search(said):
        words = f"it ended within its headers: {_shown(said)}" if said else "it closed without an answer"
        return Verdict("L7RSP", words) if ended else None
    response = _parsed(said, question.method)
    if response is None:
        return Verdict("L7RSP", f"what it answers is not HTTP: {_shown(said)}")
    status = response.status
    if not question.accepts(status):
        return Verdict("L7STS", f"status {status}")
    if question.body is None and question.body_regex is None:
        return Verdict("L7OK", f"status {status}")
    body, whole = _body(response, ended=ended)
    missing = _missing(question, body)
    if not missing:
        return Verdict("L7OK", f"status {status}, and the expected body")
    return Verdict("L7RSP", f"status {status}, but {missing}") if whole else None


def _missing(question: Question, body: bytes) -> str:
    if question.body is not None and question.body.encode() not in body:
        return f"the body has no {question.body!r}"
    if question.body_regex is not None and not _compiled(question.body_regex).search(body):
        return f"the body does not match {question.body_regex!r}"
    return ""


def _parsed(said: bytes, method: str) -> HTTPResponse | None:
    from http.client import HTTPException, HTTPResponse  # noqa: PLC0415 - 10 ms, for who probes by HTTP alone

    response = HTTPResponse(_Said(said), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
    except (HTTPException, ValueError):
        return None
    return response


def _body(response: HTTPResponse, *, ended: bool) -> tuple[bytes, bool]:
    """What there is of it, and whether that is all."""
    from http.client import IncompleteRead  # noqa: PLC0415 - see above

    until_close = response.length is None and not response.chunked
    try:
        return response.read(), ended or not until_close
    except IncompleteRead as error:
        return error.partial, ended


class _Said:
    """As much of a socket as HTTPResponse wants."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._said)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


def _shown(said: bytes) -> str:
    return ascii(said[:60].decode("latin-1")) if said else "nothing"
