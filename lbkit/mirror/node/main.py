"""The program of a node: `serve CONFIG`. It runs in the foreground until SIGTERM; started anew it goes on where it was.
`show CONFIG` and `verify CONFIG SERIAL` tell what its store has (node/looking.py).

CONFIG is JSON, and so are all paths in it relative to its folder:

    project, keep, store        the mirror's name, how many generations readers find, and the store's folder
    bandwidth                   bytes a second, or null
    contact                     seconds without the keeper after which it asks its neighbours
    listen, check               lists of [ADDRESS, PORT]: for keeper and neighbours, and for HAProxy's agent-check
    session                     seconds that a client may read on in a generation that is older than is kept; 0 without it
    keys                        {"keeper": FILE, "neighbour": FILE}, each of 32 bytes or more, for their owner alone
    sources                     by name ("" is the master): an upstream (sync/upstream.py) that is the root of that one's store
    neighbours                  by name: [ADDRESS, PORT]
    quorum                      so many nodes are needed to commit; without it, more than half of all
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lbkit.base.clock import SystemClock
from lbkit.base.errors import LbkitError
from lbkit.base.files import make_folder
from lbkit.mirror.node.agent import NEIGHBOUR, Agent
from lbkit.mirror.node.contact import Contact
from lbkit.mirror.node.looking import WORDS, looked
from lbkit.mirror.node.pulling import Pulling
from lbkit.mirror.program import anchored, data_of, ended, keys_of, lasting, listening, run
from lbkit.mirror.sync.upstream import upstream_of
from lbkit.mirror.talk.ends import Caller, Listener
from lbkit.mirror.tree.store import Store

_EVERY = 1.0  # seconds between two looks at whether the keeper hears this node
_LETS_GO = 15.0  # seconds between two looks at what nobody reads on from
_NEIGHBOUR_WITHIN = 1.0  # seconds for a neighbour's answer


def main(arguments: Sequence[str]) -> int:
    return looked(arguments) if arguments and arguments[0] in WORDS else run(arguments, serve)


def serve(config: Path) -> int:
    """Returns when it is told to end."""
    data, folder = data_of(config), config.parent
    clock = SystemClock()
    keys = keys_of(data, folder)
    store = Store(folder / data["store"], data["project"])
    make_folder(store.root)
    store.claim()

    def ask(name: str) -> bool | None:
        address, port = data["neighbours"][name]
        try:
            with Caller(address, port, NEIGHBOUR, keys[NEIGHBOUR]) as caller:
                return bool(caller.ask({"do": "kept"}, timeout=_NEIGHBOUR_WITHIN).get("kept"))
        except LbkitError:
            return None

    agent = Agent(
        Pulling(data["project"], store, data["keep"], data["bandwidth"]),
        Contact(clock, data["contact"]),
        {name: upstream_of(anchored(each, folder)) for name, each in data["sources"].items()},
        folder / "told",
        clock,
        [*data["neighbours"]],
        ask,
        data.get("session", 0.0),
        data.get("quorum", 0),
    )
    agent.begin()
    for address, port in data["listen"]:
        lasting(Listener(listening(address, port), keys, agent.answer).run, "lbkit-agent")
    agent.listen_to_neighbours()
    for address, port in data["check"]:
        lasting(partial(agent.serve_checks, listening(address, port)), "lbkit-check")
    done = ended()
    looked_at = clock.monotonic()
    while not done.wait(_EVERY):
        agent.listen_to_neighbours()
        if clock.monotonic() - looked_at >= _LETS_GO:
            looked_at = clock.monotonic()
            agent.let_go()
    return 0
