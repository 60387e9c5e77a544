"""In front of libvirt's own on PYTHONPATH: agents of libvirt's test domains are real ones, in LBKIT_TEST_AGENTS."""

from __future__ import annotations

import os
from typing import Any

from tests.machine.libvirt.agents import Domain, QemuGa, command


def qemuAgentCommand(domain: Any, request: str, timeout: int, flags: int) -> str:  # noqa: N802 - libvirt's
    agent = QemuGa(f"{os.environ['LBKIT_TEST_AGENTS']}/{domain.name()}.sock")
    return command(Domain(agent), request, timeout, flags)
