"""lbkit's own probes, with the meaning that HAProxy gives the same check: many servers at once, in one thread.

Knows no machine: who asks brings sockets that are in the network of whoever would send traffic.
"""

from __future__ import annotations

import heapq
import os
import resource
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lbkit.base.errors import Failure
from lbkit.health.conversation import Conversation, context_of, converse
from lbkit.health.outcome import NOT_ASKED, Outcome, Target, Verdict
from lbkit.health.question import Question

Sockets = Callable[[socket.AddressFamily, int], Sequence[socket.socket]]
"""That many TCP sockets of the family, neither connected nor blocking."""

MOST_AT_ONCE = 2000
_SPARE_FILES = 100


def sockets_here(family: socket.AddressFamily, count: int) -> list[socket.socket]:
    """In the network of the thread that asks. Failure where there are no more to be had."""
    made: list[socket.socket] = []
    try:
        while len(made) < count:
            made.append(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
    except OSError as error:
        for each in made:
            each.close()
        raise Failure(
            f"{count} sockets were to be opened",
            found=error.strerror or str(error),
            remedy="raise the limit on open files: ulimit -n",
        ) from error
    return made


def probe(
    question: Question,
    targets: Iterable[Target],
    sockets: Sockets,
    *,
    within: float | None = None,
    at_once: int | None = None,
) -> dict[Target, Outcome]:
    """Ask every target once. `within` seconds all is over: who was not asked by then has an outcome that says so.

    `at_once`: sockets open at a time; by default what open files allow.
    """
    waiting = deque(dict.fromkeys(targets))
    asked = _Asked(question, context_of(question), sockets, at_once or _room(), within)
    return asked.run(waiting)


def _room() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MOST_AT_ONCE
    return max(1, min(MOST_AT_ONCE, limit - len(os.listdir("/proc/self/fd")) - _SPARE_FILES))


@dataclass(slots=True)
class _Talk:
    target: Target
    conversation: Conversation
    descriptor: int
    began: float
    until: float = 0.0
    event: int = 0


@dataclass(slots=True)
class _Asked:
    question: Question
    context: ssl.SSLContext | None
    sockets: Sockets
    at_once: int
    within: float | None
    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    talks: dict[int, _Talk] = field(default_factory=dict)  # by descriptor
    deadlines: list[tuple[float, int, Target]] = field(default_factory=list)

    def run(self, waiting: deque[Target]) -> dict[Target, Outcome]:
        order = list(waiting)
        end = None if self.within is None else time.monotonic() + self.within
        with selectors.DefaultSelector() as selector:
            try:
                while waiting or self.talks:
                    now = time.monotonic()
                    if end is not None and now >= end:
                        break
                    # in batches: a batch of sockets costs one visit to the machine's network
                    if waiting and len(self.talks) <= self.at_once // 2:
                        self._begin(waiting, selector)
                    self._wait(selector, end)
            finally:
                for talk in self.talks.values():
                    talk.conversation.close()
        return {target: self.outcomes.get(target, NOT_ASKED) for target in order}

    def _begin(self, waiting: deque[Target], selector: selectors.BaseSelector) -> None:
        batch = [waiting.popleft() for _ in range(min(len(waiting), self.at_once - len(self.talks)))]
        for family in (socket.AF_INET, socket.AF_INET6):
            ours = [target for target in batch if (":" in target.address) == (family == socket.AF_INET6)]
            if not ours:
                continue
            for target, connection in zip(ours, self.sockets(family, len(ours)), strict=True):
                talk = _Talk(
                    target,
                    converse(connection, target, self.question, self.context, time.monotonic),
                    connection.fileno(),
                    time.monotonic(),
                )
                self._go_on(talk, None, selector)

    def _wait(self, selector: selectors.BaseSelector, end: float | None) -> None:
        self._forget_past_deadlines()
        ends = [self.deadlines[0][0]] if self.deadlines else []
        if end is not None:
            ends.append(end)
        if not self.talks:
            return
        timeout = max(0.0, min(ends) - time.monotonic()) if ends else None
        for key, _ in selector.select(timeout):
            self._go_on(self.talks[key.fd], True, selector)
        now = time.monotonic()
        while self.deadlines and self.deadlines[0][0] <= now:
            until, descriptor, target = heapq.heappop(self.deadlines)
            talk = self.talks.get(descriptor)
            if talk is not None and talk.target == target and talk.until == until:
                self._go_on(talk, False, selector)

    def _forget_past_deadlines(self) -> None:
        while self.deadlines:
            until, descriptor, target = self.deadlines[0]
            talk = self.talks.get(descriptor)
            if talk is not None and talk.target == target and talk.until == until:
                return
            heapq.heappop(self.deadlines)

    def _go_on(self, talk: _Talk, ready: bool | None, selector: selectors.BaseSelector) -> None:  # noqa: FBT001
        """`ready` None: it begins."""
        before = talk.event
        if before:
            # a conversation that ends closes its socket, and a closed one cannot be taken out any more
            selector.unregister(talk.descriptor)
            talk.event = 0
        try:
            event, until = next(talk.conversation) if ready is None else talk.conversation.send(ready)
        except StopIteration as end:
            self.talks.pop(talk.descriptor, None)
            verdict: Verdict = end.value
            seconds = time.monotonic() - talk.began
            self.outcomes[talk.target] = Outcome(verdict.passed, verdict.code, verdict.words, seconds)
            return
        self.talks[talk.descriptor] = talk
        selector.register(talk.descriptor, event)
        talk.event = event
        if until != talk.until:
            talk.until = until
            heapq.heappush(self.deadlines, (until, talk.descriptor, talk.target))
