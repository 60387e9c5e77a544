from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lbkit.base.errors import Failure
from lbkit.faces.demo.clients import Answer, by_server, failed, fetch, outage, resolve, slowest, unanswered


def answers(*outcomes: str) -> list[Answer]:
    """One a second, each taking a tenth: a server's name, or "!"."""
    return [
        Answer(second, second + 0.1, "" if word == "!" else word, "refused" if word == "!" else "")
        for second, word in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "seconds"),
    [
        ("", 0.0),
        ("aab", 0.0),
        ("a!b", 1.1),
        ("!!!b", 3.1),
        ("a!a!!b", 4.1),  # errors between are errors all the same
        ("a!", None),
        ("!", None),
    ],
)
def test_an_outage_lasts_from_the_first_error_to_the_first_good_answer_after_the_last(
    outcomes: str, seconds: float | None
) -> None:
    assert outage(answers(*outcomes)) == (None if seconds is None else pytest.approx(seconds))


def test_where_nobody_is_answered_is_an_outage_without_an_error_too() -> None:
    some = [
        Answer(0.0, 0.1, "web-1"),
        Answer(0.5, 2.1, "web-1"),
        Answer(2.5, 2.6, "", "refused"),
        Answer(3.0, 3.1, "web-2"),
    ]
    assert unanswered(some, 0.4) == pytest.approx(1.7)
    assert unanswered(some, 2.2) == pytest.approx(0.9)
    assert unanswered(some, 4.0) is None


def test_counts() -> None:
    some = answers("web-2", "web-1", "!", "web-1")
    assert by_server(some) == "web-1 2, web-2 1"
    assert [answer.error for answer in failed(some)] == ["refused"]
    assert slowest(some) == pytest.approx(0.1)
    assert slowest([]) == 0.0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("X-Server", "web-1")
        self.end_headers()

    def log_message(self, *_args) -> None:
        pass


@pytest.mark.sandbox
@pytest.mark.parametrize(("status", "error"), [(200, ""), (503, "status 503")])
def test_a_page_is_good_or_an_error(netns: None, status: int, error: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 80), Handler) as server:
        server.status = status
        threading.Thread(target=server.serve_forever).start()
        answer = fetch("127.0.0.1")
        server.shutdown()
    assert (answer.server, answer.error) == ("web-1", error)


@pytest.mark.sandbox
def test_nobody_there_is_an_error(netns: None) -> None:
    assert "refused" in fetch("127.0.0.1").error
    with pytest.raises(Failure, match=r"shop\.example\.test was to be resolved at 127\.0\.0\.1"):
        resolve("shop.example.test", "127.0.0.1")
