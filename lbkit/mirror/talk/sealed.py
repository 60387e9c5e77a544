"""A conversation of two who share a key, without sockets: nobody else can say a word in it, or say one of it again.

    listener: NONCE (32 bytes)
    caller:   NONCE, NAME's length (1 byte), NAME, MAC(key, "caller", both nonces, NAME)
    listener: MAC(session key, "listener")
    then both: length (4 bytes), JSON, MAC(session key, direction, number of the message, JSON)

MAC is HMAC-SHA-256 (RFC 2104). The session key is MAC(key, "session", both nonces): an answer to a nonce of before is of no use. What
is said can be read by whoever listens: it is serials and digests, never a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from lbkit.base.errors import Failure

NONCE = 32
MAC = 32
MOST = 1 << 20  # bytes of one message
_LONGEST_NAME = 255

Message = dict[str, Any]


class NotTrusted(Failure):
    """Who is at the other end has not the key, or said what was said before."""


class Sealed:
    """One end, once both know each other. Messages are numbered: none is lost, said twice, or in another order."""

    def __init__(self, key: bytes, *, calls: bool) -> None:
        self._key = key
        self._mine, self._theirs = (b"call", b"answer") if calls else (b"answer", b"call")
        self._sent = self._seen = 0
        self._buffer = b""

    def seal(self, message: Message) -> bytes:
        content = json.dumps(message, separators=(",", ":")).encode()
        if len(content) > MOST:
            raise Failure("a message was to be short", found=f"{len(content):,} bytes; {MOST:,} are the most")
        mac = _mac(self._key, self._mine, self._sent.to_bytes(8, "big"), content)
        self._sent += 1
        return len(content).to_bytes(4, "big") + content + mac

    def take(self, data: bytes) -> list[Message]:
        """The messages that are whole with these bytes. NotTrusted ends the conversation."""
        self._buffer += data
        found = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > MOST:
                raise _distrusted(f"a message of {length:,} bytes")
            end = 4 + length + MAC
            if len(self._buffer) < end:
                break
            content, mac = self._buffer[4 : 4 + length], self._buffer[4 + length : end]
            if not hmac.compare_digest(
                mac, _mac(self._key, self._theirs, self._seen.to_bytes(8, "big"), content)
            ):
                raise _distrusted("a message that is not of this conversation, or not the next one of it")
            self._seen += 1
            self._buffer = self._buffer[end:]
            found.append(_message(content))
        return found


def listen(
    read: Callable[[int], bytes], write: Callable[[bytes], None], keys: Mapping[str, bytes]
) -> tuple[str, Sealed]:
    """The listening end's part: who calls, by the name of their key, and the conversation. `read` gives just so many bytes."""
    ours = os.urandom(NONCE)
    write(ours)
    theirs = read(NONCE)
    name = read(read(1)[0])
    mac = read(MAC)
    # of a name that has none there is a key too, so that it takes as long to say no
    key = keys.get(name.decode("ascii", "replace")) or os.urandom(32)
    if not hmac.compare_digest(mac, _mac(key, b"caller", ours, theirs, name)):
        raise _distrusted("a caller without the key")
    session = _mac(key, b"session", ours, theirs)
    write(_mac(session, b"listener"))
    return name.decode("ascii"), Sealed(session, calls=False)


def call(read: Callable[[int], bytes], write: Callable[[bytes], None], name: str, key: bytes) -> Sealed:
    """The calling end's part. `name` says which of the listener's keys it is."""
    word = name.encode("ascii")
    if not 0 < len(word) <= _LONGEST_NAME:
        raise Failure("a caller was to have a name of 1 to 255 letters", found=repr(name)[:300])
    theirs = read(NONCE)
    ours = os.urandom(NONCE)
    write(ours + bytes([len(word)]) + word + _mac(key, b"caller", theirs, ours, word))
    session = _mac(key, b"session", theirs, ours)
    if not hmac.compare_digest(read(MAC), _mac(session, b"listener")):
        raise _distrusted("a listener without the key")
    return Sealed(session, calls=True)


def _mac(key: bytes, *parts: bytes) -> bytes:
    made = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:  # each with its length: no two lists of parts are the same bytes
        made.update(len(part).to_bytes(4, "big") + part)
    return made.digest()


def _message(content: bytes) -> Message:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _distrusted("a message that is no JSON") from error
    if not isinstance(found, dict):
        raise _distrusted("a message that is no object")
    return found


def _distrusted(found: str) -> NotTrusted:
    return NotTrusted(
        "a word of the mirror's own programs was to come",
        found=found,
        remedy="both ends need the same key: apply again; or somebody else is on that network",
    )
