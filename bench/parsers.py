"""The parsers of `show servers state` and `show stat` at 10,000 servers: time and memory.

    lbkit sandbox -- python bench/parsers.py [--quick]

Of replies that are there as text. Memory is what tracemalloc counts beyond the reply: kept by the result, and at most
while it is made. `csv` is Python's own reader to lists of texts, `json` Python's own of `show stat json`,
of 1,000 servers, and scaled: of 10,000 it would be more than 100 MB of text.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from haproxies import least, scope_of, standing

from lbkit.base import sandbox
from lbkit.base.host import Host
from lbkit.haproxy.runtime import Command, parse_servers_state, parse_stat, show
from lbkit.haproxy.runtime.command import ANSWER

SERVERS, SCALE = 10_000, 10


def remembered(parse: Callable[[], Any]) -> tuple[float, float]:
    """MiB that the result keeps, and the most that were held at once."""
    gc.collect()
    tracemalloc.start()
    result = parse()
    gc.collect()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return kept / 2**20, most / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds instead of 5")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/parsers.py\n")
    rounds = 2 if arguments.quick else 5
    with standing(scope_of(SERVERS // SCALE), Host()) as instance, instance.runtime(timeout=60.0) as runtime:
        question = Command("show stat json", ANSWER)
        asking_json = least(partial(runtime.ask, question), 2)[0] * SCALE
        as_json = runtime.ask(question)
    with standing(scope_of(SERVERS), Host()) as instance, instance.runtime(timeout=60.0) as runtime:
        state, stat = runtime.ask(show.servers_state()), runtime.ask(show.stat())
        asked = {
            "`show servers state`": (
                len(state),
                least(partial(runtime.ask, show.servers_state()), rounds)[0],
            ),
            "`show stat`": (len(stat), least(partial(runtime.ask, show.stat()), rounds)[0]),
            "`show stat json`, scaled": (len(as_json) * SCALE, asking_json),
        }
    parsers: dict[str, tuple[int, Callable[[], Any]]] = {
        "`show servers state`, split into lists": (1, lambda: [row.split(" ") for row in state.split("\n")]),
        "`show servers state`, by lbkit": (1, lambda: list(parse_servers_state(state))),
        "`show stat`, by csv to lists": (1, lambda: list(csv.reader(stat.split("\n")))),
        "`show stat`, by lbkit": (1, lambda: list(parse_stat(stat))),
        "`show stat json`, by json, scaled": (SCALE, lambda: json.loads(as_json)),
    }
    print(f"{SERVERS:,} servers; fastest of {rounds} rounds\n")
    print("| asked | MB | ms until it is there |")
    print("|---|--:|--:|")
    for name, (size, took) in asked.items():
        print(f"| {name} | {size / 1e6:.1f} | {took:.0f} |")
    print("\n| parsed | ms | MiB kept | MiB at most |")
    print("|---|--:|--:|--:|")
    for name, (times, parse) in parsers.items():
        took, _ = least(parse, rounds)
        kept, most = remembered(parse)
        print(f"| {name} | {took * times:.0f} | {kept * times:.1f} | {most * times:.1f} |")


if __name__ == "__main__":
    main()
