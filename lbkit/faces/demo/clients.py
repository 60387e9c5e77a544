"""Those who use the service: they resolve its name, and fetch pages through the virtual address."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self

from lbkit.base.errors import Failure

PAUSE = 0.02  # seconds between two requests of a client
PATIENT, IMPATIENT = 5.0, 0.25  # seconds that a client waits for an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """One request, from `began` to `ended` (monotonic seconds). `error` is empty where it was answered well."""

    began: float
    ended: float
    server: str
    error: str = ""


def resolve(name: str, server: str) -> str:
    """The first A record of `name` at that name server; a plain query, without a key."""
    import dns.exception  # noqa: PLC0415 - dnspython is 0.2 s
    import dns.message  # noqa: PLC0415
    import dns.query  # noqa: PLC0415
    import dns.rdatatype  # noqa: PLC0415

    try:
        reply = dns.query.udp(dns.message.make_query(name, "A"), server, timeout=5)
    except (dns.exception.DNSException, OSError) as error:
        raise Failure(f"{name} was to be resolved at {server}", found=str(error)) from error
    found = [rdata.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset]
    if not found:
        raise Failure(f"{name} was to be resolved at {server}", found="no A record")
    return str(found[0])


def fetch(address: str, timeout: float = PATIENT) -> Answer:
    """One page, over a connection of its own."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(address, 80, timeout=timeout)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(began, time.monotonic(), "", str(error) or type(error).__name__)
    finally:
        connection.close()
    trouble = "" if response.status == http.client.OK else f"status {response.status}"
    return Answer(began, time.monotonic(), response.getheader("X-Server", ""), trouble)


class Client:
    """Fetches page after page for as long as the block runs. `timeout` is in seconds."""

    def __init__(self, address: str, timeout: float = PATIENT) -> None:
        self.address = address
        self.timeout = timeout
        self._answers: list[Answer] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="client")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def answers(self) -> Sequence[Answer]:
        return tuple(self._answers)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self._answers.append(fetch(self.address, self.timeout))


def failed(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.error]


def outage(answers: Sequence[Answer]) -> float | None:
    """Seconds from the first request that failed to the first good answer after the last; None: it is not over."""
    bad = failed(answers)
    if not bad:
        return 0.0
    good = [answer.ended for answer in answers if not answer.error and answer.began >= bad[-1].ended]
    return good[0] - bad[0].began if good else None


def unanswered(answers: Sequence[Answer], since: float) -> float | None:
    """Seconds of the longest time after `since` in which no good answer came; None: none came at all.

    A client that waits long enough sees no error where an address moves, and yet nobody is served meanwhile.
    """
    good = sorted(answer.ended for answer in answers if not answer.error and answer.ended > since)
    return max(after - before for before, after in pairwise([since, *good])) if good else None


def slowest(answers: Sequence[Answer]) -> float:
    """Seconds that the one who waited longest for a good answer waited."""
    return max((answer.ended - answer.began for answer in answers if not answer.error), default=0.0)


def by_server(answers: Sequence[Answer]) -> str:
    """Such as "web-1 7, web-2 7, web-3 6"."""
    counts = Counter(answer.server for answer in answers if not answer.error)
    return ", ".join(f"{server} {count}" for server, count in sorted(counts.items()))
