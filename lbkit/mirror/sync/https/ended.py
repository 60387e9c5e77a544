"""What curl's exit code and the status of an answer mean for a file, and for the queue that it is in (curl(1), EXIT CODES)."""

from __future__ import annotations

from typing import Literal

Meaning = Literal["again", "wait", "afresh", "gone", "refused"]
"""again: later, from where it was cut. wait: all of them later, for upstream has too much to do. afresh: from the first byte. gone:
upstream has it not, others it may have. refused: nothing will come.
"""

WORDS = {
    1: "unsupported protocol",
    3: "malformed URL",
    5: "the proxy's name could not be resolved",
    6: "the host's name could not be resolved",
    7: "no connection",
    8: "no answer of HTTP",
    16: "an error of HTTP/2",
    18: "cut in the middle",
    22: "an answer that is none",
    23: "the file could not be written",
    26: "a file could not be read",
    28: "timeout",
    33: "upstream cannot resume",
    35: "TLS could not be agreed on",
    36: "it could not be resumed",
    47: "too many redirects",
    52: "an empty answer",
    55: "nothing could be sent",
    56: "nothing could be received",
    58: "the own certificate",
    60: "the certificate of upstream is not trusted",
    63: "larger than it may be",
    67: "user or password are wrong",
    77: "the file of certificates could not be read",
    92: "an error of HTTP/2's stream",
}

_AGAIN = frozenset({5, 6, 7, 8, 16, 18, 28, 35, 52, 55, 56, 92})
_WAIT = frozenset({429, 503})
_LATER = frozenset({408, 425, 500, 502, 504})
_REFUSED = frozenset({401, 407})


def meaning_of(code: int, status: int) -> Meaning:
    """Of an exit code that is not 0; `status` is 0 where no answer came."""
    if code in {33, 36} or status == 416:
        return "afresh"
    if code == 22:
        if status in _WAIT:
            return "wait"
        if status in _LATER:
            return "again"
        return "refused" if status in _REFUSED else "gone"
    return "again" if code in _AGAIN or code < 0 else "refused"  # below 0: somebody killed it


def words_of(code: int, said: str) -> str:
    plain = WORDS.get(code, f"signal {-code}" if code < 0 else f"exit code {code}")
    return f"{plain}: {said}" if said else plain
