"""Runs a command in a sandbox of its own, and tells what it left there: `python leaving.py FOLDER COMMAND...`.

Of links, namespaces, rules, processes and files in /run and in FOLDER. The exit code is the command's; LEFT where it was 0 and
something is left.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

LEFT = 99
# libvirt's own, what lbkit has learnt of this host's processors, Ansible's, and mount(8)'s
KEPT = ("/run/libvirt", "/run/lbkit-libvirt", "/run/lbkit/accelerator.json", "/run/ansible", "/run/mount")


def standing(folder: Path) -> set[str]:
    """A line of each thing. Of processes all but this one and those that wait for it."""
    own = ancestors()
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True)
    return {
        *(f"link {name}" for _, name in socket.if_nameindex()),
        *(f"rules {line}" for line in rules.stdout.splitlines()),
        *(f"process {pid} {words}" for pid, words in processes() if pid not in own),
        *(f"file {path}" for top in (Path("/run"), folder) for path in files(top)),
    }


def files(top: Path) -> list[str]:
    """And folders that are empty. Those of /run/netns are namespaces."""
    found = []
    for path, folders, names in os.walk(top):
        found += [os.path.join(path, name) for name in names] + ([path] if not folders and not names else [])
    return [path for path in found if not path.startswith(KEPT)]


def processes() -> list[tuple[int, str]]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = (
                    Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            if words:  # the dead have none
                found.append((int(entry), words))
    return found


def ancestors() -> set[int]:
    pid, found = os.getpid(), set()
    while pid:
        found.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def main(folder: str, *command: str) -> int:
    before = standing(Path(folder))
    code = subprocess.run(command, check=False).returncode
    left = standing(Path(folder)) - before
    for each in sorted(left):
        print(f"left: {each}", flush=True)
    return code or (LEFT if left else 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
