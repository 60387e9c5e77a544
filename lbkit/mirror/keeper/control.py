"""What a person asks of the keeper: a unix socket `control.sock` beside its configuration, for its owner alone.

A request is one line, a JSON object with "do"; answers are lines too, the last one has "end". Several clients may ask at once, each one
thing after the other. lbkit.mirror.asking is the client.

    {"end": "done", ...}
    {"end": "failed", "error": {"kind": "mistake" | "failure" | "bug", "wanted", "found", "where", "remedy"}}

Times are seconds since 1970, sizes bytes, `heard`, `seconds` and `left` seconds. GENERATION is {"serial", "digest", "files", "size", "made", "parent",
"run"}, RUN as in sync/runs.py: {"id", "cause", "began", "ended", "came", "why", "tries": [{"code", "words"}], "added", "changed", "deleted",
"fetched", "digest", "before", "after"}. PROGRESS is {"phase", "files", "of_files", "size", "of_size", "rate", "left", "seconds"}: `phase` is a word
("compare", "build", "fetch", "verify", ...), `of_...` and `left` are null where nobody knows, `rate` is bytes a second of late, `seconds` those since it began.
What may be asked, with its fields and their defaults, and what the last line has:

status
    "mirror", "keep": of the configuration
    "committed", "newest": {"serial", "digest"} or null
    "generations": [GENERATION], the newest first
    "running": {"cause", "began", "run": RUN or null, "progress": PROGRESS} or null
    "waiting": how many runs of persons wait for their turn
    "wanted": how many pushes were not had yet
    "next": {"cause", "due"}: due null: when somebody asks
    "last": RUN or null, "last_made": RUN or null, of those that ended
    "held": {"why", "serial", "digest", "since"} or null: no run of itself until `sync` or `release`; `serial` is what was rolled back to
    "alarms": [words], "troubles": {NODE: words}, "notes": [words]: what a person should know of how this keeper began
    "nodes": {NODE: {"serving", "has": {SERIAL: digest}, "heard": seconds or null, "told": "ready" | "drain" | null, "busy": source or null,
        "behind": generations or null, "verify": {"doing", "serial", "files", "damaged", "left"} or null}}
plan {"most": 100}: what a sync would do now; nothing is changed. Fails where a run is under way. While it looks: {"progress": PROGRESS}
    "against": serial, "added", "changed", "deleted", "relinked", "before", "after": {"files", "size"}, "folders": new ones
    "objections": [words] of the guards, "first": {"added": [path], "changed": [path], "deleted": [path]}, `most` of each at most
sync {"anyway": false, "wait": 0}: one run, after the one that is under way; what was held is released. `anyway`: the guards are not asked.
    While it waits for its turn {"waiting": RUN or null}, then {"progress": PROGRESS}, at its end {"run": RUN}; with `wait` (seconds) then
    {"committing": {"serial", "committed", "have": [NODE], "serving": [NODE]}} until it is committed, or that time is over.
    "run": RUN, "serial": the newest, "committed": bool, "have": [NODE], "serving": [NODE]
    A client that goes away stops nothing.
push: "wanted": the number of the push
log {"last": 20}: "runs": [RUN], the newest first
run {"run": ID}: "run": RUN, "words": text of rsync
verify {"mend": false, "only": null}: everything that the machines have against its manifests, the master's first. `only`: a list of nodes, "" is the master.
    {"verify": {"node", "serial", "files", "of_files", "size", "of_size", "damaged"}} while it reads, and for each machine
    {"verified": {"node", "files", "size", "damaged", "mended", "left", "first": [{"serial", "path", "fault"}], "failed": words}}
    "verified": all of those, "files", "damaged", "mended", "left": their sums, "failed": [NODE]. It ends with its client, but for nodes that are at it.
rollback {"serial": null, "wait": 0}: the tree of that generation (null: of the one before the committed) becomes the newest one under a new serial, and runs
    are held. Lines and last line as of `sync`, and "held".
release: runs go on as declared. "held": what was held, or null
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from lbkit.base.errors import Bug, Failure, LbkitError, Mistake
from lbkit.mirror.asking import SOCKET
from lbkit.mirror.talk.ends import connections
from lbkit.mirror.talk.lines import Closed, Lines, Message

MOST = 64 << 10  # bytes of a request
AT_ONCE = 16  # clients
_TAKEN_WITHIN = 10.0  # seconds for a client to take a line: else it has gone
_IDLE = 600.0  # seconds that a client may ask nothing

Say = Callable[[Message], None]
"""Tell the client one line more. Closed where it has gone."""

Request = Callable[[Message, Say], Message]
"""Do what is asked; returns what the last line has. Raises LbkitError."""


class Control:
    """`requests` are by what "do" says."""

    def __init__(self, folder: Path, requests: Mapping[str, Request]) -> None:
        self._folder = folder
        self._requests = requests
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._listening: socket.socket | None = None

    def open(self) -> None:
        """From here on clients may connect; `run` answers them. What a keeper before left there is replaced. One keeper has a folder at a time."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        descriptor = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        near = f"/proc/self/fd/{descriptor}/{SOCKET}"  # a path of any length
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISSOCK(os.lstat(near).st_mode):
                    raise Failure(
                        "the control was to be listened on",
                        found="something else is there",
                        where=str(self._folder / SOCKET),
                        remedy="remove it",
                    )
                os.unlink(near)
            # nobody may connect before its mode is right: a socket that does not listen refuses
            listening.bind(near)
            os.chmod(near, 0o600)
            listening.listen(AT_ONCE)
        except OSError as error:
            listening.close()
            raise Failure(
                "the control was to be listened on",
                found=error.strerror or str(error),
                where=str(self._folder / SOCKET),
            ) from error
        finally:
            os.close(descriptor)
        self._listening = listening

    def run(self) -> None:
        """Until `close`."""
        assert self._listening is not None  # noqa: S101 - opened before
        for connection in connections(self._listening):
            if not self._slots.acquire(blocking=False):
                with connection, contextlib.suppress(Closed):
                    connection.settimeout(_TAKEN_WITHIN)
                    Lines(connection, MOST).say(
                        _failed(Failure("the keeper was to be asked", found=f"{AT_ONCE} others ask it now"))
                    )
                continue
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self._folder / SOCKET).unlink()
        if self._listening is not None:
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()

    def _converse(self, connection: socket.socket) -> None:
        lines = Lines(connection, MOST)
        try:
            with connection, contextlib.suppress(Closed):
                while True:
                    connection.settimeout(_IDLE)
                    try:
                        message = lines.take()
                    except Closed:
                        raise
                    except Failure as error:  # where one line ends and the next begins nobody knows any more
                        connection.settimeout(_TAKEN_WITHIN)
                        lines.say(_failed(error))
                        return
                    if message is None:
                        return
                    connection.settimeout(_TAKEN_WITHIN)
                    lines.say(self._answered(message, lines.say))
        finally:
            self._slots.release()

    def _answered(self, message: Message, say: Say) -> Message:
        request = self._requests.get(str(message.get("do")))
        try:
            if request is None:
                raise Mistake(
                    f"the keeper was to be asked one of {', '.join(sorted(self._requests))}",
                    found=repr(message.get("do"))[:200],
                )
            return {**request(message, say), "end": "done"}
        except Closed:
            raise
        except LbkitError as error:
            return _failed(error)
        except OSError as error:
            return _failed(
                Failure("what was asked was to be done", found=str(error), remedy="look at the disk")
            )


def _failed(error: LbkitError) -> Message:
    kind = "mistake" if isinstance(error, Mistake) else "bug" if isinstance(error, Bug) else "failure"
    words = {"wanted": error.wanted, "found": error.found, "where": error.where, "remedy": error.remedy}
    return {"end": "failed", "error": {"kind": kind, **words}}
