"""The program of the keeper: `serve CONFIG`. It runs in the foreground until SIGTERM; started anew it goes on where it was.

CONFIG is JSON, and so are all paths in it relative to its folder:

    project, keep, store, runs  the mirror's name, how many generations readers find, the store's folder, and that of its evidence
    upstream                    as in sync/upstream.py: {"kind": "rsync" | "ssh" | "folder" | "https", ...}
    exclude, markers            patterns: of what is left out, and of files that upstream has while it updates itself
    stages                      a list of {"folder", "contents"} (sync/project.py)
    guard                       {"delete", "shrink", "min_files"}, each a number or null
    bandwidth, silence          bytes a second, of all connections together, or null; seconds without a byte until a transfer is given up
    connections                 downloads at once, of an https upstream; 4. A transfer by rsync is one connection, stage after stage, and
                                where there may be two the other one looks meanwhile whether upstream stands still
    schedule                    {"every": SECONDS, "window": ["HH:MM", "HH:MM"] or null, "jitter": SECONDS, "zone": NAME} or null;
                                instead of "every": "cron": FIVE FIELDS, as in crontab(5)
    policy                      {"quorum", "max_lag", "floor", "contact", "fan_out"}, and "asked_within", "heard_within" where nodes or HAProxy
                                are slower than deciding.py has it
    nodes                       by name: [ADDRESS, PORT, KEYFILE]
    sources                     by name of a node: an upstream (sync/upstream.py) that is the root of its store, for what is damaged here; none
    adopt                       the store of the node on this machine: where it has what this keeper has not, another master made it, and this
                                one takes it over (adopting.py); none
    listen, keys                where pushes are heard, and by whose keys: lists of [ADDRESS, PORT], {NAME: FILE}

What a person asks of it comes by `control.sock` beside CONFIG (control.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lbkit.base.clock import Clock, SystemClock
from lbkit.base.errors import Failure
from lbkit.base.files import make_folder
from lbkit.mirror.keeper.assembly import Keeper
from lbkit.mirror.keeper.control import Control
from lbkit.mirror.keeper.cron import Cron
from lbkit.mirror.keeper.deciding import Policy
from lbkit.mirror.keeper.fleet import Fleet
from lbkit.mirror.keeper.pace import Pace
from lbkit.mirror.keeper.schedule import Schedule, Window
from lbkit.mirror.node.agent import KEEPER
from lbkit.mirror.program import anchored, data_of, ended, keys_of, lasting, listening, run
from lbkit.mirror.sync.fetching import Fetcher
from lbkit.mirror.sync.guard import Guard
from lbkit.mirror.sync.https.fetcher import CONNECTIONS, PARTIAL, Https
from lbkit.mirror.sync.project import TRACE, Project, Stage
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.runs import Runs
from lbkit.mirror.sync.syncing import Syncing
from lbkit.mirror.sync.upstream import upstream_of, web_of
from lbkit.mirror.talk.ends import Caller, Listener
from lbkit.mirror.talk.sealed import Message
from lbkit.mirror.tree.store import Store


def main(arguments: Sequence[str]) -> int:
    return run(arguments, serve)


def serve(config: Path) -> int:
    """Returns when it is told to end; a run that is under way is cut off then, and told as killed by the next one."""
    data, folder = data_of(config), config.parent
    clock = SystemClock()
    pace = Pace(clock)
    store, runs = Store(folder / data["store"], data["project"]), Runs(folder / data["runs"], clock)
    make_folder(store.root)
    store.claim()
    store.tidy()
    runs.settle()
    project = _project({**data, "upstream": anchored(data["upstream"], folder)}, store, clock)
    schedule = _schedule(data["schedule"])
    syncing = Syncing(project, store, runs, clock, until=lambda cause: _until(cause, schedule, clock))
    ways = {
        name: (address, port, KEEPER, keys_of({"keys": {name: file}}, folder)[name])
        for name, (address, port, file) in data["nodes"].items()
    }
    voices = {name: Caller(*way) for name, way in ways.items()}
    fleet = Fleet(store, voices, Policy(**data["policy"]), clock, runs.folder / "committed")
    sources = {name: upstream_of(anchored(each, folder)) for name, each in data.get("sources", {}).items()}
    theirs = Store(folder / data["adopt"]) if data.get("adopt") else None
    keeper = Keeper(
        syncing, fleet, schedule, clock, _say, pace.wake, lambda name: Caller(*ways[name]), sources, theirs
    )

    def pushed(_name: str, message: Message) -> Message:
        if message != {"do": "push"}:
            raise Failure("a push was to come", found=str(message)[:200])
        return {"run": keeper.turns.push()}

    done = ended(pace.wake)  # before the socket is there: it goes with the program
    control = Control(folder.absolute(), keeper.desk.requests())
    control.open()
    lasting(control.run, "lbkit-control")
    keys = keys_of(data, folder)
    for address, port in data["listen"]:
        lasting(Listener(listening(address, port), keys, pushed).run, "lbkit-push")
    keeper.begin(done)
    while not done.is_set():
        pace.wait(busy=fleet.busy)
        keeper.turn()
    control.close()
    keeper.turns.stop()
    fleet.close()
    return 0


def _project(data: Mapping[str, Any], store: Store, clock: Clock) -> Project:
    stages = tuple(Stage(each["folder"], each["contents"]) for each in data["stages"])
    return Project(
        data["project"],
        _fetcher(data, store, clock),
        stages or (Stage(),),
        Guard(**data["guard"]),
        data["markers"],
        data["keep"],
    )


def _fetcher(data: Mapping[str, Any], store: Store, clock: Clock) -> Fetcher:
    exclude = (f"/{TRACE}", *data["exclude"])
    connections = data.get("connections", CONNECTIONS)
    if data["upstream"]["kind"] != "https":
        upstream = upstream_of(data["upstream"])
        return Rsync(upstream, exclude, data["bandwidth"], data["silence"], connections=connections)
    return Https(
        web_of(data["upstream"]),
        store.root / PARTIAL,
        clock,
        exclude,
        data["bandwidth"],
        connections,
        data["silence"],
    )


def _schedule(data: Mapping[str, Any] | None) -> Schedule | None:
    if data is None:
        return None
    window = None if data["window"] is None else Window(*map(time.fromisoformat, data["window"]))
    every = Cron.parse(data["cron"]) if data.get("cron") else timedelta(seconds=data["every"])
    return Schedule(every, window, timedelta(seconds=data["jitter"]), ZoneInfo(data["zone"]))


def _until(cause: str, schedule: Schedule | None, clock: Clock) -> datetime | None:
    """What nobody asked for keeps to the window."""
    return None if schedule is None or cause not in {"schedule", "retry"} else schedule.closes(clock.now())


def _say(words: str) -> None:
    print(words, flush=True)
