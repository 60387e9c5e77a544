"""The other end of a connection, which answers as HAProxy does in prompt mode; and how HAProxy reads commands."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def framed(reply: str, *, payload_lines: int = 0) -> bytes:
    return b"+ " * payload_lines + reply.encode() + b"\n> "


@contextmanager
def answering(
    answer: Callable[[str], str | None], *, pieces: int = 1 << 20
) -> Iterator[tuple[socket.socket, list[str]]]:
    """The client's end, and the lines that the other end read. It answers each in pieces; None: it hangs up."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    heard: list[str] = []

    def serve() -> None:
        with theirs, theirs.makefile("rb") as lines:
            for line in lines:
                command = line.decode().removesuffix("\n")
                heard.append(command)
                payload = 0
                if command.endswith(" <<"):
                    payload = 1
                    while lines.readline() != b"\n":
                        payload += 1
                reply = "" if command == "prompt" else answer(command)
                if reply is None:
                    return
                data = framed(reply, payload_lines=payload)
                for start in range(0, len(data), pieces):
                    theirs.sendall(data[start : start + pieces])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours:
            yield ours, heard
    finally:
        thread.join()


def as_haproxy_reads(wire: bytes) -> list[tuple[list[str], bytes | None]]:
    """The commands in what is on the wire, each by its words and payload.

    From src/cli.c of 2.6 and 3.0: a line ends at a line feed or `;` that no backslash precedes; words at spaces
    likewise; `<<` at its end takes the lines up to an empty one.
    """
    found: list[tuple[list[str], bytes | None]] = []
    at = 0
    while at < len(wire):
        end = at
        while wire[end : end + 1] not in {b"\n", b";"}:
            end += 2 if wire[end : end + 1] == b"\\" else 1
            assert end < len(wire), "no end"
        line, at = wire[at:end], end + 1
        payload = None
        if line.endswith(b"<<"):
            end = wire.index(b"\n\n", at - 1)
            payload, at = wire[at:end], end + 2
            assert b"\r" not in payload
            line = line.removesuffix(b"<<")
        found.append((_words(line.decode()), payload))
    return found


def _words(line: str) -> list[str]:
    words: list[str] = []
    word = ""
    letters = iter(line)
    for letter in letters:
        if letter == "\\":
            word += next(letters)
        elif letter in " \t":
            words += [word] if word else []
            word = ""
        else:
            word += letter
    return [*words, word] if word else words
