"""A netlink socket: dumps, and batches of requests with the kernel's refusals as errors.

Requests of a batch travel in one message. The kernel carries them out in their order before sendmsg() returns,
whether or not the process is being killed, so what must not be seen half done (a link and its
owner mark) goes in one group, and a group is never split. Only the last request of a message asks for
an acknowledgement: the kernel answers a request that it refuses in any case, so silence about the others is success.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from lbkit.base.errors import Failure
from lbkit.network.netlink import wire
from lbkit.network.netlink.wire import Request

ROUTE, NETFILTER = 0, 12  # linux/netlink.h, NETLINK_*

_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK = 10, 11, 12

# An answer takes up to 1.3 KB of the kernel's receive buffer, which is 208 KB unless somebody made it smaller;
# a message may be as large as the send buffer, of the same size.
_MOST_REQUESTS = 100
_MOST_BYTES = 48 * 1024
_RECEIVE_BYTES = 64 * 1024  # the kernel fills at most 32 KB of it at once
_MOST_TRIES = 50  # of a dump during which the world changed

_ERROR_NUMBER = struct.Struct("=i")


class Refused(Failure):
    """The kernel would not do one request; `errno` and its own words say why."""

    def __init__(self, doing: str, number: int, words: str = "", *, where: str = "") -> None:
        self.errno = number
        super().__init__(
            doing,
            found=f"the kernel refused: {os.strerror(number)}" + (f" ({words})" if words else ""),
            where=where,
            remedy=_REMEDIES.get(number, ""),
        )


_REMEDIES = {
    errno.EPERM: "run as root, or in a sandbox: `lbkit sandbox -- ...`",
    errno.EOPNOTSUPP: "`lbkit doctor` says what this kernel lacks",
    errno.EEXIST: "something else made it at the same time: apply again",
    errno.EBUSY: "something else made it at the same time: apply again",
}


class Netlink:
    """One socket, in the network namespace of the thread that opened it. For one thread at a time."""

    def __init__(self, protocol: int = ROUTE, *, where: str = "") -> None:
        self.where = where  # of refusals: a person's name for the namespace that this socket is in
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            raise Refused("a netlink socket was to be opened", error.errno or 0) from error
        try:
            self._socket.bind((0, 0))
            for option in (_CAP_ACK, _EXT_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            if protocol == ROUTE:  # dumps filtered by the kernel
                self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
        except OSError as error:
            self._socket.close()
            raise Refused("a netlink socket was to be set up", error.errno or 0) from error
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def dump(self, request: Request) -> list[tuple[bytes, int, int]]:
        """All answers: each a buffer, and where in it the message's body starts and ends."""
        for _ in range(_MOST_TRIES):
            self._sequence += 1
            self._write(_packed(request, self._sequence, wire.DUMP))
            answers, whole = self._read_dump(request)
            if whole:
                return answers
        raise Failure(
            request.doing, found=f"they changed each of {_MOST_TRIES} times they were read", where=self.where
        )

    def _read_dump(self, request: Request) -> tuple[list[tuple[bytes, int, int]], bool]:
        answers: list[tuple[bytes, int, int]] = []
        whole = True
        while True:
            buffer = self._read()
            for kind, flags, sequence, start, end in _messages(buffer):
                if sequence != self._sequence:
                    continue  # late answers to what was refused before
                if flags & wire.DUMP_INTERRUPTED:
                    whole = False
                if kind == wire.DONE:
                    number = _ERROR_NUMBER.unpack_from(buffer, start)[0] if end - start >= 4 else 0
                    if number < 0:
                        raise Refused(
                            request.doing, -number, _words(buffer, start + 4, end), where=self.where
                        )
                    return answers, whole
                if kind == wire.ERROR:
                    refused = self._refusal(request, buffer, flags, start, end)
                    if refused is not None:
                        raise refused
                elif kind > wire.OVERRUN:
                    answers.append((buffer, start, end))

    def ask(self, request: Request) -> tuple[bytes, int, int]:
        """The one answer to a question that is no dump, in the form of `dump`'s; what the kernel refuses is raised."""
        self._sequence += 1
        self._write(_packed(request, self._sequence, 0))
        while True:
            buffer = self._read()
            for kind, flags, sequence, start, end in _messages(buffer):
                if sequence != self._sequence:
                    continue
                if kind != wire.ERROR:
                    return buffer, start, end
                refused = self._refusal(request, buffer, flags, start, end)
                if refused is not None:
                    raise refused

    def send(self, groups: Sequence[Sequence[Request]]) -> list[Refused | None]:
        """Carry out all groups; for each the first refusal among its requests, or None.

        A refusal does not stop what comes after it: requests of a group must be harmless where an earlier
        one was refused.
        """
        outcome: list[Refused | None] = [None] * len(groups)
        packed: list[bytes] = []
        about: dict[int, tuple[int, Request]] = {}
        size = 0
        for place, group in enumerate(groups):
            if packed and (len(packed) + len(group) > _MOST_REQUESTS or size > _MOST_BYTES):
                self._exchange(packed, about, outcome)
                packed, about, size = [], {}, 0
            for request in group:
                self._sequence += 1
                about[self._sequence] = (place, request)
                packed.append(_packed(request, self._sequence, 0))
                size += len(packed[-1])
        if packed:
            self._exchange(packed, about, outcome)
        return outcome

    def carry_out(self, *groups: Sequence[Request]) -> None:
        """`send`, raising the first refusal."""
        for refused in self.send(groups):
            if refused is not None:
                raise refused

    def _exchange(
        self, packed: list[bytes], about: dict[int, tuple[int, Request]], outcome: list[Refused | None]
    ) -> None:
        last = self._sequence
        length, kind, flags, sequence, port = wire.HEADER.unpack_from(packed[-1])
        packed[-1] = wire.HEADER.pack(length, kind, flags | wire.ACK, sequence, port) + packed[-1][16:]
        self._write(b"".join(packed))
        while True:
            buffer = self._read()
            for kind, flags, sequence, start, end in _messages(buffer):
                if kind != wire.ERROR or sequence not in about:
                    continue
                place, request = about[sequence]
                refused = self._refusal(request, buffer, flags, start, end)
                if refused is not None and outcome[place] is None:
                    outcome[place] = refused
                if sequence == last:
                    return

    def transact(self, begin: Request, requests: Sequence[Request], end: Request) -> None:
        """All of `requests` or none, as nfnetlink does between a batch's begin and end; raises the first refusal."""
        batch = [begin, *requests, end]
        first = self._sequence + 1
        last = first + len(requests)
        self._sequence += len(batch)
        packed = [
            _packed(request, first + place, wire.ACK if first + place == last else 0)
            for place, request in enumerate(batch)
        ]
        self._write(b"".join(packed))
        while True:
            buffer = self._read()
            for kind, flags, sequence, start, stop in _messages(buffer):
                if kind != wire.ERROR or not first <= sequence < first + len(batch):
                    continue
                refused = self._refusal(batch[sequence - first], buffer, flags, start, stop)
                if refused is not None:
                    raise refused
                if sequence == last:
                    return

    def _refusal(self, request: Request, buffer: bytes, flags: int, start: int, end: int) -> Refused | None:
        """What an NLMSG_ERROR says: None for an acknowledgement (error number 0)."""
        number = -_ERROR_NUMBER.unpack_from(buffer, start)[0]
        if number == 0:
            return None
        words = ""
        if flags & wire.ACK_ATTRIBUTES:
            repeated = wire.HEADER.unpack_from(buffer, start + 4)[0]
            words = _words(buffer, start + 4 + (16 if flags & wire.CAPPED else (repeated + 3) & ~3), end)
        return Refused(request.doing, number, words, where=self.where)

    def _write(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise Refused("netlink was to take a message", error.errno or 0) from error

    def _read(self) -> bytes:
        try:
            return self._socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise Refused("netlink was to answer", error.errno or 0) from error


def _packed(request: Request, sequence: int, flags: int) -> bytes:
    body = request.body
    flags |= request.flags | wire.REQUEST
    return (
        wire.HEADER.pack(16 + len(body), request.kind, flags, sequence, 0) + body + b"\0" * (-len(body) & 3)
    )


def _messages(buffer: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Type, flags, sequence, start and end of the body of each message."""
    offset, size = 0, len(buffer)
    unpack = wire.HEADER.unpack_from
    while offset + 16 <= size:
        length, kind, flags, sequence, _ = unpack(buffer, offset)
        if length < 16 or offset + length > size:
            raise wire.Malformed(f"a message of {length} bytes where {size - offset} are left")
        yield kind, flags, sequence, offset + 16, offset + length
        offset += (length + 3) & ~3


def _words(buffer: bytes, start: int, end: int) -> str:
    for kind, begin, stop in wire.attributes(buffer, start, end):
        if kind == 1:  # NLMSGERR_ATTR_MSG
            return wire.as_text(buffer[begin:stop])
    return ""
