"""What failed in a guest, as its host hears of it: a guest may say anything, and decides nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Bug, Failure, Mistake
from lbkit.base.run import CommandFailed, Completed, MissingProgram
from lbkit.machine.guest.faults import as_data, from_data
from tests.machine.libvirt.domains import json_data

FIELDS = {"found": "of it", "where": "service m/app", "remedy": "look"}
KINDS = st.sampled_from(["Mistake", "Failure", "Bug", "LbkitError", "CommandFailed", "", None])


@given(
    json_data
    | st.fixed_dictionaries({"kind": KINDS | json_data}, optional={"wanted": json_data, "more": json_data})
)
def test_whatever_a_guest_says_is_a_failure(said: object) -> None:
    """Else it would choose the exit code: 64 says that nothing was touched."""
    error = from_data(said)
    assert isinstance(error, Failure)
    assert error.exit_code == 1
    assert str(error)


def test_a_failure_is_told_as_it_was() -> None:
    error = from_data(as_data(Failure("a socket was to answer", **FIELDS)))
    assert type(error) is Failure
    assert error.as_data() == Failure("a socket was to answer", **FIELDS).as_data()


def test_what_the_guest_takes_for_more_than_a_failure_stands_in_its_words() -> None:
    bug = from_data(as_data(Bug("a record was to be there", found="none")))
    assert (type(bug), bug.found) == (Failure, "a bug, it says: a record was to be there: none")
    mistake = from_data(as_data(Mistake("an option was to be known", found="--x", remedy="see help")))
    assert (type(mistake), mistake.found) == (Failure, "a mistake, it says: an option was to be known: --x")
    assert mistake.remedy == "see help"


def test_what_callers_look_for_stays_what_it_is() -> None:
    failed = CommandFailed(Completed(("false",), 3, "out", "words"), remedy="look")
    again = from_data(as_data(failed))
    assert isinstance(again, CommandFailed)
    assert (again.completed, again.found, again.remedy) == (failed.completed, failed.found, "look")
    missing = from_data(as_data(MissingProgram("dig")))
    assert isinstance(missing, MissingProgram)
    assert missing.program == "dig"
