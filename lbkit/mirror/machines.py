"""Whether a machine can be a mirror's master or node, before a topology has it be one: `lbkit.mirror_machines`.

The question goes to the machine's own Python, as its services will run, in one file that needs nothing else of lbkit's there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lbkit.base.host import Host
from lbkit.base.pack import Program
from lbkit.machine.local.launch import ENVIRONMENT
from lbkit.mirror.program import PYTHON

_START = f"""\
import os, sys
os.environ["PATH"] = "{ENVIRONMENT["PATH"]}"
if sys.version_info < (3, 11):
    found = "/usr/bin/python3 is version " + ".".join(map(str, sys.version_info[:3]))
    remedy = "3.11 or newer is needed there: an image or a distribution that has it"
    check = '{{{{"name": "python3", "good": false, "found": "' + found + '", "remedy": "' + remedy + '"}}}}'
    print('{{{{"checks": [' + check + '], "msg": "this machine was to run a mirror: ' + found + '; to do: ' + remedy + '"}}}}')
    sys.exit(0)
from lbkit.mirror.fit.main import main
sys.exit(main())
"""
"""In words that any Python 3 knows. Programs are looked for where services look for them."""

PROGRAM = Program(("lbkit.mirror.fit.main",), _START)

WANTED: Mapping[str, Any] = {
    "role": "node",
    "path": "/run/lbkit",
    "own_disk": False,
    "mirrors": (),
    "ports": (),
    "http_port": 80,
    "keep": 3,
    "size": "0",
    "inodes": 0,
    "generation_size": "0",
    "generation_inodes": 0,
    "min_free": "0",
    "min_inodes": 0,
    "upstream": None,
    "ask_upstream": True,
    "digests": None,
    "password": None,
    "key": None,
    "known_hosts": None,
    "ca": None,
}
"""What can be asked, as the options of the module `lbkit.core.mirror_machine_check`, with what counts where nothing is said."""


def argv(program: str) -> Sequence[str]:
    """How the file `program` is run on the machine; the question goes to its stdin."""
    return (*PYTHON, program)


def program() -> bytes:
    """That file."""
    return PROGRAM.packed().content


def question(wanted: Mapping[str, Any]) -> str:
    """What it is asked."""
    return json.dumps({**WANTED, **wanted})


def check(wanted: Mapping[str, Any], host: Host | None = None) -> dict[str, Any]:
    """Asked of this host: {"checks": [{"name", "good", "found", "remedy"}]}, and "msg" with all that is wrong, where something is.

    Two things change meanwhile: a folder is made and removed where generations would lie, and one for secrets.
    """
    import tempfile  # noqa: PLC0415 - asked here alone
    from pathlib import Path  # noqa: PLC0415

    host = host or Host()
    with tempfile.TemporaryDirectory(prefix="lbkit-") as folder:
        file = Path(folder, "fit.pyz")
        file.write_bytes(program())
        done = host.runner.run(argv(str(file)), stdin=question(wanted), timeout=300.0)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
