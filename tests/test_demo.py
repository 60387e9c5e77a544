"""What `make demo` shows, in full."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox

CHECKOUT = Path(__file__).parents[1]
PROMISES = [
    "everything that is declared stands and works",
    "the zone names the virtual address",
    "every page comes, from every web server",
    "a server comes and goes without a reload or a lost request",
    "traffic goes on without a dead web server",
    "the virtual address moves, and clients are served again",
    "what died runs again",
    "a second apply changes nothing and starts no process",
    "no namespace, link, process, table, mount or file is left",
]


OF_VIRTUAL_MACHINES = [
    *PROMISES[:3],
    "the virtual address moves, and clients are served again",
    "the plan says which machine died, and touches no other",
    "a new generation takes the dead one's place",
    "that costs no request",
    "a second apply changes nothing and starts no process",
    "no domain, volume, pool, TAP, bridge, namespace, process, table, mount or file is left",
]


OF_MIRRORS = [
    "everything that is declared stands and works",
    "each push became a generation that all nodes serve",
    "no client is sent to mirror-1 while it is too old, and it comes back by itself",
    "no client is sent to mirror-2 while it is too old, and it comes back by itself",
    "no push is lost when the master dies",
    "what rots on a disk is found and mended",
    "a rollback reaches all nodes, and holds",
    "no session of a client mixed two generations, and no file of an index was missing",
    "clients read what was published",
    "a second apply changes nothing and starts no process",
    "no namespace, link, process, table, mount or file is left",
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below /run, which another sandbox covers."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


def demo(*words: str, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    lbkit = [sys.executable, "-m", "lbkit"]
    return subprocess.run(
        [*lbkit, "sandbox", "--", *lbkit, "demo", *words],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def kept(output: str) -> list[str]:
    return re.findall(r"^  kept    (.*)$", output, re.MULTILINE)


def test_every_promise_is_kept(folder: Path) -> None:
    before = sorted(os.listdir(CHECKOUT / "examples"))
    done = demo("--svg", str(folder / "new" / "web.svg"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(done.stdout) == PROMISES
    assert re.findall(r"changed=(\d+)", done.stdout) == ["1", "1", "0", "1"]
    assert re.search(r"clients saw errors for \d+ ms", done.stdout)
    assert "shop.example.test is 10.80.0.10" in done.stdout
    assert ET.parse(folder / "new" / "web.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert sorted(os.listdir(CHECKOUT / "examples")) == before


@pytest.mark.xdist_group("vm")
def test_every_promise_of_virtual_machines_is_kept(
    folder: Path, record_property: Callable[[str, object], None]
) -> None:
    done = demo("--vm", "--svg", str(folder / "web-vm.svg"), timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(done.stdout) == OF_VIRTUAL_MACHINES
    found = re.search(r"nobody was answered for (\d+ ms)", done.stdout)
    assert found
    record_property("nobody was answered for", found[1])
    assert ET.parse(folder / "web-vm.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_every_promise_of_mirrors_is_kept(
    folder: Path, record_property: Callable[[str, object], None]
) -> None:
    done = demo("--mirrors", "--svg", str(folder / "mirrors.svg"), timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(done.stdout) == OF_MIRRORS
    found = re.search(r"(\d+) sessions, (\d+) files: 0 mixed, 0 with a 404, 0 with an error", done.stdout)
    assert found
    assert int(found[1]) >= 50
    record_property("sessions", found[1])
    assert ET.parse(folder / "mirrors.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_keep_opens_a_shell_inside_and_takes_down_after_it(folder: Path) -> None:
    shell = folder / "shell"
    shell.write_text(
        "#!/bin/sh\nls /run/netns; command -v lbkit || echo no lbkit; exit 3\n", encoding="utf-8"
    )
    shell.chmod(0o755)
    done = demo("--keep", "--svg", str(folder / "web.svg"), SHELL=str(shell))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^web\.\S+$", done.stdout, re.MULTILINE) == [
        "web.lb-1",
        "web.lb-2",
        "web.ns",
        "web.web-1",
        "web.web-2",
        "web.web-3",
    ]
    assert kept(done.stdout) == [*PROMISES[:3], PROMISES[-1]]
