"""Whole processes: what a person waits for before anything happens.

    lbkit sandbox -- python bench/coldstart.py [--quick]

Milliseconds of the fastest run and the median, and the fastest against an empty Python. The plans are of
examples/web.yml, which stands as declared: there is nothing to do, but all of it is looked at.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lbkit import operate
from lbkit.base import sandbox
from lbkit.dns.keygen import write_key

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LBKIT = str(Path(sys.executable).with_name("lbkit"))  # as a person calls it


def measure(argv: list[str], rounds: int) -> list[float]:
    """Milliseconds of each round; the first, which fills the caches, is not counted."""
    found = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        found.append((time.perf_counter() - began) * 1000)
    return found[1:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 20")
    arguments = parser.parse_args()
    if not sandbox.inside():
        parser.exit(1, "in a sandbox only: lbkit sandbox -- python bench/coldstart.py\n")
    rounds = 5 if arguments.quick else 20
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "examples")
        shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("*.key"))
        write_key(copy / "tsig.key")
        topology = copy / "web.yml"
        scope = operate.load(topology)
        operate.apply(scope)
        whole = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "lbkit --help": [LBKIT, "--help"],
            "lbkit sandbox -- true": [LBKIT, "sandbox", "--", "true"],
            "lbkit validate": [LBKIT, "validate", str(topology)],
            "lbkit plan, nothing to do": [LBKIT, "plan", str(topology)],
        }
        rows = {name: measure(argv, rounds) for name, argv in whole.items()}
        operate.destroy(scope)
    base = min(rows["python -c pass"])
    print(f"{rounds} rounds\n")
    print("| process | fastest, ms | median, ms | times an empty Python |")
    print("|---|--:|--:|--:|")
    for name, row in rows.items():
        print(f"| `{name}` | {min(row):.0f} | {statistics.median(row):.0f} | {min(row) / base:.1f} |")


if __name__ == "__main__":
    main()
