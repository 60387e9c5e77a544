"""The nodes as the keeper has them: asks all of them at once, has decided what comes next, and tells them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure, LbkitError
from lbkit.base.files import flush_folder, make_folder, read, write_atomic
from lbkit.mirror.keeper.deciding import Decided, Flip, Known, Node, Policy, Prepare, Tell, decide, inherited
from lbkit.mirror.talk.sealed import Message
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.difference import Difference
from lbkit.mirror.tree.generation import Generation
from lbkit.mirror.tree.store import Store

_ASKED_WITHIN = 2.0  # seconds for an answer: a node says what it knows, and works in the background
_WAITED_FOR = 0.5  # seconds: what comes later is heard in a later turn


class Voice(Protocol):
    """The way to one node (talk.ends.Caller)."""

    def ask(self, message: Message, *, timeout: float) -> Message: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Heard:
    """What one node said last, when, and the number of that answer; and since when it is known to be drained.

    `answered` is clear while it is being asked.
    """

    node: Node = field(default_factory=Node)
    at: float | None = None
    drained: float | None = None
    number: int | None = None
    trouble: str = ""
    verify: Mapping[str, Any] | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answered.set()

    def known(self, now: float) -> Node:
        """For any thread."""
        node, at, drained = self.node, self.at, self.drained
        return replace(
            node,
            silent=None if at is None else now - at,
            drained=None if drained is None else now - drained,
            answers=self.answered.is_set(),
        )


class Fleet:
    """`turn` is to be called every second, by one thread. What is committed is on the disk before any node flips to it."""

    def __init__(
        self, store: Store, voices: Mapping[str, Voice], policy: Policy, clock: Clock, committed_file: Path
    ) -> None:
        self.store = store
        self._voices = voices
        self._policy = policy
        self._clock = clock
        self._file = committed_file
        self._heard = {name: _Heard() for name in voices}
        self._began = self._asked_at = clock.monotonic()
        self._difference: tuple[Generation, Mapping[str, Any] | None] | None = None
        self._plainly: set[str] = set()
        self.committed, self._trusting = _committed(committed_file)
        self.alarms: tuple[str, ...] = ()
        self.taken_over = serials.NONE  # the serial that another keeper committed, and this one took for so

    def forget(self) -> None:
        """What this disk says was committed is another master's past: the nodes are asked instead. Before the first turn."""
        self.committed, self._trusting = None, True

    def hear(self) -> bool:
        """Ask alone, and tell nobody anything: a keeper that does not know what is committed. Whether all have answered."""
        now = self._clock.monotonic()
        if (
            now - self._asked_at > self._policy.pause
        ):  # stopped, or its disk is slow: as one that has just begun
            self._began = now
        self._asked_at = now
        self._each({name: {"do": "status"} for name in self._voices})
        return all(heard.at is not None for heard in self._heard.values())

    def turn(self) -> Decided:
        """Ask, decide, tell; and at once again where something was committed."""
        self.hear()
        known = self.known()
        if (found := inherited(known, self._policy, trusting=self._trusting)) is not None:
            self.taken_over = found[0]
            self._write(found, inherited=True)
            known = self.known()
        decided = decide(known, self._policy)
        if decided.commit is not None:
            self.store.publish(decided.commit[0])  # first: from here on it does not go, as one of between may
            self._write(decided.commit, inherited=False)
            decided = decide(self.known(), self._policy)
        if decided.flip:
            self._carry_out(decided.flip)
            decided = decide(self.known(), self._policy)
        self.alarms = decided.alarms
        self._carry_out((*decided.tell, *decided.prepare))
        return decided

    @property
    def busy(self) -> bool:
        """Whether a node gets something now."""
        return any(heard.node.busy is not None for heard in self._heard.values())

    def close(self) -> None:
        for voice in self._voices.values():
            voice.close()

    def known(self) -> Known:
        now = self._clock.monotonic()
        standing = self.store.generations()
        newest = standing[-1] if standing else None
        return Known(
            {name: heard.known(now) for name, heard in self._heard.items()},
            self.committed,
            None if newest is None else (newest.serial, newest.digest),
            now - self._began,
            between=[*self._between(standing)],
        )

    def _between(self, standing: Sequence[Generation]) -> Iterator[tuple[int, str]]:
        """Of those that the master has: the oldest may go any moment. None where the newest takes back what came before it."""
        if self.committed is None or any(each.digest == standing[-1].digest for each in standing[:-1]):
            return
        for each in reversed(standing[1:-1]):
            if serials.newer(each.serial, self.committed[0]):
                yield each.serial, each.digest

    def troubles(self) -> dict[str, str]:
        """By node, why it did not do what it was told, in its own words."""
        return {name: heard.trouble for name, heard in self._heard.items() if heard.trouble}

    def highest(self) -> int:
        """Of all serials that anybody was heard to have, and of what is committed. For any thread."""
        nodes = [heard.node for heard in [*self._heard.values()]]
        known = [serial for node in nodes for serial in (node.serving, *node.has)]
        return serials.highest([*known, self.committed[0]] if self.committed else known)

    def verifying(self) -> dict[str, Mapping[str, Any]]:
        """By node, how far it is with holding what it has against its manifests."""
        return {name: heard.verify for name, heard in self._heard.items() if heard.verify is not None}

    def _write(self, committed: tuple[int, str], *, inherited: bool) -> None:
        data = {"serial": committed[0], "digest": committed[1], "inherited": inherited}
        make_folder(self._file.parent)
        write_atomic(self._file, json.dumps(data).encode() + b"\n")
        flush_folder(self._file.parent)
        self.committed, self._trusting = committed, inherited

    def _carry_out(self, told: Sequence[Tell | Flip | Prepare]) -> None:
        orders: dict[str, list[Message]] = {}
        for each in told:
            orders.setdefault(each.node, []).append(self._message(each))
        while orders:
            self._each({name: messages.pop(0) for name, messages in orders.items()})
            orders = {name: messages for name, messages in orders.items() if messages}

    def _message(self, order: Tell | Flip | Prepare) -> Message:
        match order:
            case Tell(_, verdict):
                return {"do": "tell", "verdict": verdict}
            case Flip(_, serial):
                return {"do": "flip", "serial": serial}
            case Prepare(_, serial, sources):
                generation = self.store.find(serial)
                if generation is None:
                    raise Failure(f"generation {serial} was to be told", found="it does not stand any more")
                told = {"do": "prepare", "generation": generation.as_data(), "sources": list(sources)}
                if order.node not in self._plainly and (found := self._difference_of(generation)) is not None:
                    told["difference"] = found
                return told

    def _difference_of(self, generation: Generation) -> Mapping[str, Any] | None:
        """Found once, and said to all."""
        if self._difference is None or self._difference[0] != generation:
            found = Difference.of(self.store, generation)
            self._difference = generation, None if found is None else found.as_data()
        return self._difference[1]

    def _each(self, messages: Mapping[str, Message]) -> None:
        """All at once. Nobody waits for one that hangs: it is asked nothing more until it has answered, or was given up."""
        asked = [name for name in messages if self._heard[name].answered.is_set()]
        for name in asked:
            heard, message = self._heard[name], messages[name]
            if message["do"] != "status":
                # until it answers nobody knows which of its words it has
                heard.node = replace(heard.node, told=None)
            if message.get("verdict") == "ready":
                heard.drained = None
            heard.answered.clear()
            threading.Thread(target=self._ask, args=(name, message), name="lbkit-keeper", daemon=True).start()
        until = self._clock.monotonic() + _WAITED_FOR
        for name in asked:
            self._heard[name].answered.wait(max(0.0, until - self._clock.monotonic()))

    def _ask(self, name: str, message: Message) -> None:
        heard = self._heard[name]
        try:
            said = self._voices[name].ask({**message, "heard": heard.number}, timeout=_ASKED_WITHIN)
            heard.node, heard.number, heard.trouble = _node(said), int(said["n"]), str(said["trouble"])
            if heard.node.told != "drain":
                heard.drained = None
            elif heard.drained is None:
                heard.drained = self._clock.monotonic()
            verify = said.get("verify")
            heard.verify = verify if isinstance(verify, dict) else None
            heard.at = self._clock.monotonic()
        except LbkitError as error:
            heard.trouble = error.found or str(error)
            if (
                "difference" in message
            ):  # it may have been too long for that line: it is told without the next time
                self._plainly.add(name)
        except (KeyError, TypeError, ValueError) as error:
            heard.trouble = f"it said what makes no sense: {error!r}"
        finally:
            heard.answered.set()


def _node(said: Message) -> Node:
    told = said["told"]
    busy = said["busy"]
    if told not in {"ready", "drain"} or not (busy is None or isinstance(busy, str)):
        raise ValueError(said)
    has = {int(serial): str(digest) for serial, digest in said["has"].items()}
    return Node(int(said["serving"]), has, 0.0, told, busy)


def _committed(file: Path) -> tuple[tuple[int, str] | None, bool]:
    """And whether it is what nodes were found to serve, and not this keeper's own."""
    content = read(file)
    if content is None:
        return None, True
    try:
        data = json.loads(content)
        return (int(data["serial"]), str(data["digest"])), bool(data.get("inherited"))
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(
            "what is committed was to be read",
            found=repr(error),
            where=str(file),
            remedy="remove the file: what the nodes serve is taken for it then",
        ) from error
