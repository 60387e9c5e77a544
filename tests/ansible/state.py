"""What stands on this host, as one line of JSON: `state.py RUN_DIR`. Two that are equal are one state.

Links with their aliases and addresses, of each namespace too; processes of services; files of lbkit's, but for what programs write
meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

NETNS = Path("/run/netns")
WRITTEN = (".log", ".lock", ".sock", ".pid")  # by the programs, at any time


def main() -> None:
    folder = Path(sys.argv[1])
    names = sorted(os.listdir(NETNS)) if NETNS.exists() else []
    state = {
        "links": {name: links(["-n", name] if name else []) for name in ("", *names)},
        "files": {str(path.relative_to(folder)): digest(path) for path in sorted(files(folder))},
        "processes": processes(folder),
    }
    print(json.dumps(state, sort_keys=True))


def links(where: list[str]) -> list[str]:
    done = subprocess.run(["ip", *where, "-j", "-d", "address"], capture_output=True, text=True, check=True)
    found = []
    for link in json.loads(done.stdout):
        addresses = [each["local"] for each in link["addr_info"] if each["scope"] != "link"]
        master, alias = link.get("master", ""), link.get("ifalias", "")
        found.append(
            " ".join([link["ifname"], str(link["mtu"]), link["operstate"], master, alias, *addresses])
        )
    return sorted(found)


def files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in WRITTEN and "data" not in path.parts
    ]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def processes(folder: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for process in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            if not os.readlink(f"/proc/{process}/cwd").startswith(str(folder)):
                continue
        except OSError:
            continue
        for variable in environment:
            if variable.startswith(b"LBKIT_SERVICE="):
                found.setdefault(variable.decode().partition("=")[2], []).append(process)
    return {service: its[:1] for service, its in found.items()}


if __name__ == "__main__":
    main()
