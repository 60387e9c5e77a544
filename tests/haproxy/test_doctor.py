from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lbkit.base.host import Host
from lbkit.base.run import CommandFailed, Completed, MissingProgram
from lbkit.haproxy.doctor import doctor

GOOD = {
    "haproxy": ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n", ""),
    "keepalived": ("", "Keepalived v2.2.7 (01/16,2022)\n"),
    "python3": ("Python 3.11.2\n", ""),
}


class Programs:
    """What each program says of its version; None: it is not installed."""

    def __init__(self, said: dict[str, tuple[str, str] | None]) -> None:
        self.said = said

    def run(self, argv: Sequence[str], **_: Any) -> Completed:
        said = self.said[argv[0]]
        if said is None:
            raise MissingProgram(argv[0])
        done = Completed(tuple(argv), 1 if "broken" in said else 0, *said)
        if done.returncode:
            raise CommandFailed(done)
        return done


def checks(**said: tuple[str, str] | None) -> dict[str, Any]:
    host = Host(runner=Programs(GOOD | said))  # type: ignore[arg-type]
    return {check.name.split()[0].lower(): check for check in doctor(host)}


def test_all_is_there() -> None:
    found = checks()
    assert [check.good for check in found.values()] == [True, True, True]
    assert found["haproxy"].found == "2.6.12"
    assert found["keepalived"].found == "2.2.7"


@pytest.mark.parametrize(
    ("program", "said", "found"),
    [
        ("haproxy", None, "not installed"),
        ("haproxy", ("HAProxy version 2.4.22-0ubuntu0.22.04.3\n", ""), "2.4.22"),
        ("keepalived", ("", "Keepalived v2.0.20\n"), "2.0.20"),
        ("haproxy", ("nonsense", ""), "does not tell its version"),
        ("haproxy", ("broken", ""), "exit code 1"),
    ],
)
def test_what_is_missing_or_old_is_named_with_its_package(
    program: str, said: tuple[str, str] | None, found: str
) -> None:
    check = checks(**{program: said})[program]
    assert not check.good
    assert found in check.found
    assert f"apt install {program}" in check.remedy
