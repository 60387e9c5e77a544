"""The node's agent: answers the keeper, gets what it is told to in the background, and says to HAProxy whether it may serve."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lbkit.base.clock import Clock
from lbkit.base.errors import Failure, LbkitError
from lbkit.base.files import FileFailure, flush_folder, read, remove, write_atomic
from lbkit.mirror.node.contact import Contact, verdict_of
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.node.verifying import Verifying
from lbkit.mirror.sync.ready import make_ready
from lbkit.mirror.sync.upstream import Rsynced
from lbkit.mirror.talk.ends import connections
from lbkit.mirror.talk.sealed import Message
from lbkit.mirror.talk.words import Verdict
from lbkit.mirror.tree import serial as serials
from lbkit.mirror.tree.difference import Difference
from lbkit.mirror.tree.generation import Generation

KEEPER, NEIGHBOUR = "keeper", "neighbour"
"""The names of the two keys that a node knows: the keeper's with it alone, and the one that all nodes have."""

_LINES: Mapping[Verdict, bytes] = {
    "ready": b"ready up\n",
    "drain": b"drain\n",
}  # configuration manual, "agent-check"


@dataclass(slots=True)
class Agent:
    """`sources` are the roots of the master's store ("") and of the neighbours', by name. `ask` asks a neighbour whether the keeper
    hears it; None where it does not answer. `session`: for so many seconds a client may read on in a generation that is older than is kept.
    `quorum` nodes are needed to commit; 0: more than half.
    """

    pulling: Pulling
    contact: Contact
    sources: Mapping[str, Rsynced]
    told_file: Path
    clock: Clock
    neighbours: Sequence[str] = ()
    ask: Callable[[str], bool | None] = lambda _name: None
    session: float = 0.0
    quorum: int = 0
    _heard: Sequence[bool | None] | None = field(default=None, init=False)
    _busy: str | None = field(default=None, init=False)
    _trouble: str = field(default="", init=False)
    _work: threading.Lock = field(default_factory=threading.Lock, init=False)
    _told: Verdict = field(default="drain", init=False)
    _has: dict[int, str] = field(default_factory=dict, init=False)
    _verifying: tuple[str, Verifying, threading.Thread] | None = field(default=None, init=False)

    def begin(self) -> None:
        """To be called once, before anybody asks. What a killed one left is removed; the last word of the keeper holds."""
        self.pulling.store.tidy()
        self._told = "ready" if read(self.told_file) == b"ready\n" else "drain"
        self._look()

    @property
    def verdict(self) -> Verdict:
        """What HAProxy is told now."""
        if self.pulling.store.serving() == serials.NONE:
            return "drain"
        quorum = self.quorum or (len(self.neighbours) + 1) // 2 + 1
        return verdict_of(self._told, kept=self.contact.kept, neighbours=self._heard, quorum=quorum)

    def answer(self, name: str, message: Message) -> Message:
        """To the keeper, and of the one question that neighbours have. Failure where it is another."""
        if message == {"do": "kept"}:
            return {"kept": self.contact.kept}
        if name != KEEPER:
            raise Failure(
                "a neighbour was to ask whether the keeper hears this node", found=str(message)[:200]
            )
        self.contact.heard(message.get("heard"))
        match message:
            case {"do": "status"}:
                pass
            case {"do": "prepare", "generation": given, "sources": [*names]}:
                self._prepare(
                    Generation.from_data(given, "the keeper's word"),
                    [str(each) for each in names],
                    Difference.from_data(message.get("difference")),
                )
            case {"do": "flip", "serial": int(serial)}:
                self.pulling.store.publish(serial)
                self._in_background(None, self._prune)
            case {"do": "verify", "id": str(name), "mend": bool(mend), "sources": [*names]}:
                self._verify(name, [str(each) for each in names], mend=mend)
            case {"do": "tell", "verdict": "ready" | "drain" as verdict}:
                self._take(verdict)
            case _:
                raise Failure("the keeper was to ask what a node knows", found=str(message)[:200])
        return self._status()

    def listen_to_neighbours(self) -> None:
        """Ask all at once, where the keeper does not hear this node. To be called every second, and before HAProxy asks for the first time.

        Where the keeper may have committed something meanwhile, its last word is worth nothing from here on, whoever answers later.
        """
        if self.contact.kept:
            self._heard = None
            return
        heard: dict[str, bool | None] = {}

        def ask(name: str) -> None:
            heard[name] = self.ask(name)

        asking = [threading.Thread(target=ask, args=(name,), daemon=True) for name in self.neighbours]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        self._heard = [heard.get(name) for name in self.neighbours]
        if self._told == "ready" and self.contact.lapsed and self.verdict == "drain":
            try:
                self._take("drain")
            except FileFailure as error:
                self._trouble = str(error)

    def serve_checks(self, listening: socket.socket) -> None:
        """HAProxy's agent-check: a line to whoever connects, whatever it says. Until the socket is closed."""
        for connection in connections(listening):
            with connection:
                try:
                    connection.settimeout(1.0)
                    connection.sendall(_LINES[self.verdict])
                    connection.shutdown(socket.SHUT_WR)
                except (OSError, LbkitError):
                    continue

    def _take(self, verdict: Verdict) -> None:
        """HAProxy hears it from here on, whatever the disk says, and after the next start. No file is `drain`: a full disk can say that, too."""
        self._told = verdict
        if verdict == "ready":
            write_atomic(self.told_file, b"ready\n")
        else:
            remove(self.told_file)
        flush_folder(self.told_file.parent)

    def _status(self) -> Message:
        return {
            "n": self.contact.answer(),
            "serving": self.pulling.store.serving(),
            "has": {str(serial): digest for serial, digest in self._has.items()},
            "busy": self._busy,
            "told": self._told,
            "verdict": self.verdict,
            "trouble": self._trouble,
            "verify": self._verified(),
        }

    def _verify(self, name: str, names: Sequence[str], *, mend: bool) -> None:
        """One at a time; who asks meanwhile sees whose it is, and asks again. What the keeper wants goes on beside it."""
        if self._verifying is not None and self._verifying[2].is_alive():
            return
        sources = [self.sources[each] for each in names if each in self.sources]
        verifying = Verifying(self.pulling, sources, mend, self._work)
        thread = threading.Thread(target=verifying.run, name="lbkit-verify", daemon=True)
        self._verifying = name, verifying, thread
        thread.start()

    def _verified(self) -> Message | None:
        if self._verifying is None:
            return None
        name, verifying, thread = self._verifying
        doing = thread.is_alive()
        return {"id": name, "doing": doing, **verifying.as_data()}

    def _prepare(self, wanted: Generation, names: Sequence[str], difference: Difference | None) -> None:
        sources = [self.sources[name] for name in names if name in self.sources]
        if sources:
            self._in_background(
                names[0], lambda: self.pulling.prepare(wanted, sources, difference=difference)
            )

    def let_go(self) -> None:
        """What no client reads on from any more, where there is some; and see what somebody took away by hand. To be called now and then."""
        try:
            self._look()
        except LbkitError as error:
            self._trouble = str(error)
        if len(self._has) > self.pulling.keep:
            self._in_background(None, self._prune)

    def _prune(self) -> None:
        since = self.clock.now().timestamp() - self.session
        self.pulling.store.prune(self.pulling.keep, since=since)
        make_ready(self.pulling.store)

    def _in_background(self, source: str | None, work: Callable[[], None]) -> None:
        """One thing at a time; what comes meanwhile is not begun: the keeper sees that, and asks again."""
        if not self._work.acquire(blocking=False):
            return
        self._busy = source

        def done() -> None:
            try:
                try:
                    work()
                finally:
                    self._look()
                self._trouble = ""
            except LbkitError as error:
                self._trouble = str(error)
            finally:
                self._busy = None
                self._work.release()

        threading.Thread(target=done, name="lbkit-mirror", daemon=True).start()

    def _look(self) -> None:
        self._has = {each.serial: each.digest for each in self.pulling.store.generations()}
