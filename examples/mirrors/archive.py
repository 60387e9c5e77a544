"""A tiny archive, for others to mirror: `tree/` in its folder. Needs nothing but Python.

Usage: archive.py. It publishes once when it starts, and once more at each SIGHUP. `tree/index.json` has the publication's number
and the digest of every file. Files come, change and go; while they do, `tree/Archive-Update-in-Progress` is there.
"""

import hashlib
import json
import os
import signal
from pathlib import Path

TREE = Path("tree")
MARKER = TREE / "Archive-Update-in-Progress"
INDEX = TREE / "index.json"
STEADY, KEPT = 10, 10  # files that change their content, and publications that each has files of its own of


def publish() -> None:
    number = json.loads(INDEX.read_bytes())["number"] + 1 if INDEX.exists() else 1
    TREE.mkdir(exist_ok=True)
    MARKER.touch()
    put(f"pool/{number:05d}", f"new in {number}\n" * 100)
    for each in range(STEADY):
        if number == 1 or (number + each) % 2:  # half of them, by turns
            put(f"data/{each:02d}", f"file {each} of {number}\n" * 100)
    old = TREE / f"pool/{number - KEPT:05d}"
    old.unlink(missing_ok=True)
    files = {
        str(path.relative_to(TREE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(TREE.glob("*/*"))
    }
    put("index.json", json.dumps({"number": number, "files": files}))
    MARKER.unlink()
    print(f"published {number}", flush=True)


def put(name: str, content: str) -> None:
    path = TREE / name
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(content)
    os.replace(new, path)


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    MARKER.unlink(missing_ok=True)
    publish()
    while True:
        signal.sigwait({signal.SIGHUP})
        publish()


main()
