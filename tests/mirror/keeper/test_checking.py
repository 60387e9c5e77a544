"""All machines are verified, whoever of them is away, starts anew, or says what makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from lbkit.base.clock import SystemClock
from lbkit.base.errors import Failure
from lbkit.mirror.keeper.checking import Checking
from lbkit.mirror.keeper.deciding import Policy
from lbkit.mirror.keeper.fleet import Fleet
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.talk.ends import Unheard
from lbkit.mirror.talk.lines import Closed
from lbkit.mirror.talk.sealed import Message
from lbkit.mirror.tree.store import Store
from tests.mirror.tree.test_store import FIRST
from tests.mirror.tree.trees import made

Answers = Callable[[Message], Any]


class Node:
    """Says what `answers` has of a question, in "verify"."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def ask(self, message: Message, *, timeout: float) -> Message:
        assert timeout > 0
        return {"verify": self.answers(message)}

    def close(self) -> None: ...


def checking(folder: Path, **nodes: Answers) -> Checking:
    store = Store(folder / "store")
    store.root.mkdir()
    for _ in made(store, 1, FIRST, folder / "plain"):
        pass
    voices = {name: Node(answers) for name, answers in nodes.items()}
    fleet = Fleet(store, voices, Policy(quorum=1), SystemClock(), folder / "committed")
    pulling = Pulling("debian", store, 3)
    return Checking(pulling, Lock(), fleet, voices.__getitem__, {}, SystemClock(), unheard=0.1)


class Whole:
    """Ends at the second question."""

    mine = ""

    def __call__(self, message: Message) -> Any:
        self.mine = message.get("id", self.mine)
        doing = message["do"] == "verify"
        return {
            "id": self.mine,
            "doing": doing,
            "files": 4,
            "size": 9,
            "damaged": 1,
            "left": 1,
            "first": [{}],
        }


def away(_message: Message) -> Any:
    raise Unheard("it was to be asked", found="No route to host")


def anew(message: Message) -> Any:
    return {"id": message["id"], "doing": True} if "id" in message else None


def nonsense(message: Message) -> Any:
    return {"id": message["id"], "doing": False, "files": "many", "first": 7, "damaged": None}


def test_each_is_told_of_by_itself(tmp_path: Path) -> None:
    said: list[Message] = []
    found = checking(tmp_path, a=Whole(), b=away, c=anew, d=nonsense).verify(None, said.append, mend=False)
    results = {each["node"]: each for each in found["verified"]}
    assert next(iter(results)) == "", "the master's is the first"
    assert results[""]["files"] == len(FIRST) - sum(content.startswith(b"->") for content in FIRST.values())
    assert (results["a"]["damaged"], results["a"]["left"], results["a"]["failed"]) == (1, 1, "")
    assert results["b"]["failed"] == "No route to host"
    assert results["c"]["failed"] == "it was started anew in between"
    assert (results["d"]["files"], results["d"]["first"], results["d"]["damaged"]) == (0, [], 0)
    assert (found["damaged"], found["left"], sorted(found["failed"])) == (1, 1, ["b", "c"])
    assert [each["verified"] for each in said if "verified" in each] == found["verified"]


def test_one_at_a_time_and_who_goes_away_makes_room(tmp_path: Path) -> None:
    check = checking(tmp_path, a=lambda message: {"id": message.get("id"), "doing": True})

    def twice(_message: Message) -> None:
        with pytest.raises(Failure, match="it is just being done"):
            check.verify([], lambda _: None, mend=False)
        raise Closed("the other end was to talk on")

    for _ in range(2):
        with pytest.raises(Closed):
            check.verify(None, twice, mend=False)
