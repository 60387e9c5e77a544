"""Hold what all machines of a mirror have against its manifests: the master's first, as the nodes may mend from it, then the nodes' own, each by itself."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.mirror.keeper.control import Say
from lbkit.mirror.keeper.deciding import MASTER
from lbkit.mirror.keeper.fleet import Fleet, Voice
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.node.verifying import FIRST, Verifying
from lbkit.mirror.sync.upstream import Rsynced
from lbkit.mirror.talk.lines import Message

EVERY = 0.5  # seconds between two lines of progress
_WITHIN = 5.0  # seconds for a node's answer

_RESULT = ("files", "size", "damaged", "mended", "left", "first", "failed")
_TOLD = ("serial", "files", "of_files", "size", "of_size", "damaged")


@dataclass(slots=True)
class _Node:
    """What one node said last, and whether that is the end of it. For its own thread, read by another."""

    said: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Checking:
    """`call` opens a conversation with a node. `sources` are the nodes' stores, by name, for what is damaged on the master."""

    pulling: Pulling
    alone: AbstractContextManager[Any]
    fleet: Fleet
    call: Callable[[str], Voice]
    sources: Mapping[str, Rsynced]
    clock: Clock
    unheard: float = 30.0  # seconds without an answer until a node is given up
    _one: threading.Lock = field(default_factory=threading.Lock, init=False)

    def verify(self, only: Sequence[str] | None, say: Say, *, mend: bool) -> Message:
        """As control.py says. Raises Closed where the client has gone; what nodes are at goes on."""
        names = sorted(self.fleet.known().nodes)
        chosen = [MASTER, *names] if only is None else list(only)
        if strangers := [name for name in chosen if name != MASTER and name not in names]:
            raise Mistake(
                "nodes of this mirror were to be named",
                found=", ".join(map(repr, strangers))[:200],
                remedy=f"it has {', '.join(names)}",
            )
        if not self._one.acquire(blocking=False):
            raise Failure("all was to be verified", found="it is just being done", remedy="ask again later")
        try:
            results = []
            if MASTER in chosen:
                results.append(self._master(say, mend=mend))
            results += self._nodes([name for name in chosen if name != MASTER], say, mend=mend)
        finally:
            self._one.release()
        sums = {name: sum(each[name] for each in results) for name in ("files", "damaged", "mended", "left")}
        return {"verified": results, **sums, "failed": [each["node"] for each in results if each["failed"]]}

    def _master(self, say: Say, *, mend: bool) -> Message:
        heard = self._heard()
        sources = [source for name, source in self.sources.items() if name in heard]
        verifying = Verifying(self.pulling, sources, mend, self.alone)
        thread = threading.Thread(target=verifying.run, name="lbkit-verify", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(EVERY)
                say(_progress(MASTER, verifying.as_data()))
        finally:
            verifying.stop()
        return _tell(say, MASTER, verifying.as_data(), "")

    def _nodes(self, names: Sequence[str], say: Say, *, mend: bool) -> list[Message]:
        gone = threading.Event()
        nodes = {name: _Node() for name in names}
        heard = self._heard()
        for name, node in nodes.items():
            order = {"do": "verify", "mend": mend, "sources": [MASTER, *sorted(heard - {name})]}
            threading.Thread(target=self._node, args=(name, node, order, gone), daemon=True).start()
        results: list[Message] = []
        try:
            while nodes:
                next(iter(nodes.values())).done.wait(EVERY)
                for name, node in [*nodes.items()]:
                    if node.done.is_set():
                        results.append(_tell(say, name, node.said, node.failed))
                        del nodes[name]
                    elif node.said:
                        say(_progress(name, node.said))
                    else:
                        say({"verify": {"node": name, **dict.fromkeys(_TOLD)}})
        finally:
            gone.set()
        return results

    def _node(self, name: str, node: _Node, order: Message, gone: threading.Event) -> None:
        """Have it begin, and listen until it has ended. One that is at it for somebody else is waited for."""
        ours = secrets.token_hex(8)
        order = {**order, "id": ours}
        heard_at = self.clock.monotonic()
        voice = self.call(name)
        begun = False
        try:
            while not gone.wait(EVERY if begun else 0):
                try:
                    said = voice.ask({"do": "status"} if begun else order, timeout=_WITHIN).get("verify")
                except LbkitError as error:
                    node.failed = error.found or str(error)
                    if self.clock.monotonic() - heard_at > self.unheard:
                        return
                    gone.wait(EVERY)
                    continue
                node.failed, heard_at = "", self.clock.monotonic()
                if isinstance(said, dict) and said.get("id") == ours:
                    begun, node.said = True, said
                    if not said.get("doing"):
                        return
                elif begun:
                    node.failed = "it was started anew in between"
                    return
                else:
                    gone.wait(EVERY)
        finally:
            voice.close()
            node.done.set()

    def _heard(self) -> set[str]:
        return {name for name, node in self.fleet.known().nodes.items() if node.silent is not None}


def _progress(name: str, said: Mapping[str, Any]) -> Message:
    return {"verify": {"node": name, **{each: said.get(each) for each in _TOLD}}}


def _tell(say: Say, name: str, said: Mapping[str, Any], failed: str) -> Message:
    """A node's own numbers are believed as far as that they are numbers."""
    result: Message = {"node": name}
    for each in _RESULT:
        found = said.get(each)
        if each == "first":
            result[each] = found[:FIRST] if isinstance(found, list) else []
        elif each == "failed":
            result[each] = failed or str(found or "")
        else:
            result[each] = found if isinstance(found, int) else 0
    say({"verified": result})
    return result
