"""What is said of certificates that end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lbkit
from lbkit.engine.scope import Scope
from lbkit.haproxy.expiry import facts, findings, notes
from lbkit.haproxy.resolved import LoadBalancers
from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.running import document


def scope(folder: Path, days: float) -> Scope:
    ca = Authority()
    ca.issue("a.example.org", days=days).write(folder / "a.pem")
    ca.issue("idle.example.org", days=-1).write(folder / "idle.pem")
    data = document(8443, 80, "a", certificates={name: {"file": f"{name}.pem"} for name in ("a", "idle")})
    return lbkit.load_data(data, folder)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (90, ""),
        (15, ""),
        (13.5, "expires in 13 days, on "),
        (1.5, "expires in 36 hours, on "),
        (0.05, "expires in 1 hour, on "),
        (-1, "expired on "),
    ],
)
def test_a_plan_notes_what_expires_soon_and_is_still_possible(
    days: float, words: str, tmp_path: Path
) -> None:
    found = list(notes(scope(tmp_path, days + 1e-3), datetime.now(UTC)))
    assert bool(found) == bool(words)
    assert all(
        "load_balancers.shop: certificate a (a.example.org)" in each and words in each for each in found
    )


def test_one_that_is_not_valid_yet_is_noted(tmp_path: Path) -> None:
    (found,) = notes(scope(tmp_path, 90), datetime.now(UTC) - timedelta(days=200))
    assert "is not valid before " in found


def test_status_and_explain_tell_of_those_that_are_used(tmp_path: Path) -> None:
    shop = scope(tmp_path, -2).of("haproxy", LoadBalancers).by_name["shop"]
    (found,) = findings(shop, datetime.now(UTC))
    assert found.good is False
    assert "certificate a expired" in found.what
    assert list(facts(shop)) == ["a"]
    assert datetime.fromisoformat(facts(shop)["a"]) < datetime.now(UTC)
