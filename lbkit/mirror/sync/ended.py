"""How a transfer ended: what that means for a run, whatever moved the bytes; and rsync's exit codes (rsync(1), EXIT VALUES)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from lbkit.base.errors import Failure

Outcome = Literal["whole", "partial", "refused", "cut"]
"""whole: it did what it was told. partial: some files could not be read or went away meanwhile, so upstream is in the middle of its
own update, or has faults. refused: trying again is of no use. cut: it may work later.
"""


class TransferFailed(Failure):
    """`code` is the exit code of rsync or curl, `words` the last of what it said; `outcome` is what that means for the run."""

    outcome: Outcome
    _remedies: ClassVar[Mapping[Outcome, str]] = {
        "whole": "",
        "partial": "upstream was in the middle of its own update, or has files that cannot be read; nothing was published",
        "refused": "mend what it names; trying again does not help",
        "cut": "nothing was published; the next try goes on",
    }

    def __init__(self, wanted: str, outcome: Outcome, code: int, words: str, found: str, where: str) -> None:
        self.outcome, self.code, self.words = outcome, code, words
        super().__init__(wanted, found=found, where=where, remedy=self._remedies[outcome])


WORDS = {
    0: "success",
    1: "syntax or usage error",
    2: "protocol incompatibility",
    3: "errors selecting input or output files, dirs",
    4: "requested action not supported",
    5: "error starting client-server protocol",
    6: "daemon unable to append to log-file",
    10: "error in socket I/O",
    11: "error in file I/O",
    12: "error in rsync protocol data stream",
    13: "errors with program diagnostics",
    14: "error in IPC code",
    20: "received SIGUSR1 or SIGINT",
    21: "some error returned by waitpid()",
    22: "error allocating core memory buffers",
    23: "partial transfer due to error",
    24: "partial transfer due to vanished source files",
    25: "the --max-delete limit stopped deletions",
    30: "timeout in data send/receive",
    35: "timeout waiting for daemon connection",
    127: "no such program there",
    255: "ssh failed",
}

_PARTIAL = frozenset({23, 24, 25})
_REFUSED = frozenset({1, 2, 3, 4, 6, 22})


def outcome_of(code: int) -> Outcome:
    if code == 0:
        return "whole"
    if code in _PARTIAL:
        return "partial"
    return "refused" if code in _REFUSED else "cut"


def words_of(code: int) -> str:
    return WORDS.get(code, f"signal {-code}" if code < 0 else f"exit code {code}")
