"""Ansible as a person runs it: a playbook of this checkout, and what its last line says."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import lbkit
from lbkit.base.errors import Failure
from lbkit.base.run import CommandFailed, LocalRunner, MissingProgram

CHECKOUT = Path(lbkit.__file__).resolve().parents[1]
_RECAP = re.compile(r"^\S+\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+).*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recap:
    """`line` is Ansible's own word."""

    line: str
    changed: int


def play(name: str, topology: Path) -> Recap:
    """Run a playbook on the topology; a Failure has its output."""
    program = Path(sys.executable).with_name("ansible-playbook")
    if not program.exists():
        raise MissingProgram(
            "ansible-playbook", remedy="`make setup` installs it, or pip install 'lbkit-iac[ansible]'"
        )
    scratch = Path(tempfile.gettempdir(), "ansible")  # not in the home of whoever runs this
    completed = LocalRunner().run(
        [str(program), f"playbooks/{name}", "-e", f"topology_file={topology}"],
        cwd=str(CHECKOUT),
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_HOME": str(scratch),
            "ANSIBLE_REMOTE_TMP": str(scratch / "remote"),
            "ANSIBLE_NOCOLOR": "1",
        },
        timeout=300,
        check=False,
    )
    found = _RECAP.search(completed.stdout)
    if completed.returncode != 0:
        raise CommandFailed(completed)
    if found is None:
        raise Failure(f"{name} was to end with a recap", found=completed.stdout[-2000:])
    return Recap(" ".join(found[0].split()), int(found[1]))
