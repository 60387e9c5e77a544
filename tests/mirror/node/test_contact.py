"""A node knows when it was heard, and drains itself just where somebody else may serve what is newer."""

from __future__ import annotations

import pytest

from lbkit.mirror.keeper.deciding import Policy
from lbkit.mirror.node.contact import LAPSES, Contact, verdict_of
from lbkit.mirror.talk.words import Verdict
from tests.clocks import HandClock


def test_it_was_heard_when_its_answer_is_named() -> None:
    clock = HandClock()
    contact = Contact(clock, 5.0)
    assert not contact.kept
    first = contact.answer()
    clock.sleep(3)
    contact.heard(first)
    assert contact.kept, "3 s ago"
    clock.sleep(2.5)
    assert not contact.kept, "it counts from when the answer was sent, not from when the keeper named it"
    contact.heard(contact.answer())
    contact.heard(first)
    assert contact.kept, "an older one takes nothing back"


def test_its_last_word_lapses_before_the_keeper_goes_on_without_it() -> None:
    clock = HandClock()
    contact = Contact(clock, 5.0)
    assert contact.lapsed, "nobody knows what was committed while it did not run"
    contact.heard(contact.answer())
    clock.sleep(5 + LAPSES - 0.1)
    assert (contact.kept, contact.lapsed) == (False, False)
    clock.sleep(0.2)
    assert contact.lapsed
    for seconds in (2.0, 5.0, 60.0):
        assert seconds + LAPSES < Policy(quorum=2, contact=seconds).given_up


def test_answers_of_another_process_say_nothing() -> None:
    clock = HandClock()
    before, after = Contact(clock, 5.0), Contact(clock, 5.0)
    number = before.answer()
    after.answer()
    for said in (number, 0, "x", None, True):
        after.heard(said)
    assert not after.kept


def test_it_remembers_no_more_than_it_needs() -> None:
    contact = Contact(HandClock(), 5.0)
    numbers = [contact.answer() for _ in range(1000)]
    contact.heard(numbers[0])
    assert not contact.kept
    contact.heard(numbers[-1])
    assert contact.kept
    assert len(contact._sent) < 100


@pytest.mark.parametrize(
    ("told", "kept", "neighbours", "verdict"),
    [
        ("ready", True, [], "ready"),
        ("drain", True, [], "drain"),
        ("ready", False, [True, None], "drain"),
        ("ready", False, None, "ready"),
        ("ready", False, [False, None], "ready"),
        ("ready", False, [None], "ready"),
        ("ready", False, [False, None, None, None], "drain"),
        ("ready", False, [False, False, None, None], "ready"),
        ("ready", False, [False, True], "drain"),
        ("ready", False, [None, None], "drain"),
        ("ready", False, [], "ready"),
        ("drain", False, [False, False], "drain"),
    ],
)
def test_its_verdict(
    told: Verdict,
    kept: bool,  # noqa: FBT001
    neighbours: list[bool | None] | None,
    verdict: Verdict,
) -> None:
    """Where more than half are needed to commit: of two both, of three two, of five three."""
    quorum = (len(neighbours or ()) + 1) // 2 + 1
    assert verdict_of(told, kept=kept, neighbours=neighbours, quorum=quorum) == verdict
