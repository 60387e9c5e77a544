"""libvirt's event loop, in one thread of this process: keepalive and events need it.

It must be registered before a connection is opened: an older connection would have neither, without a word.
"""

from __future__ import annotations

import os
import threading

from lbkit.base.errors import Bug
from lbkit.hypervisor.failures import binding

_lock = threading.Lock()
_runs_in = 0  # the process whose loop it is: a fork has its registrations, but not the thread


def run() -> None:
    """Have it run in this process. Call it before each connection is opened; more than once is once.

    Not in a fork of a process that has it already: there it would read what is meant for its parent.
    """
    global _runs_in  # noqa: PLW0603 - as libvirt's own registration: one for the process
    libvirt = binding()
    with _lock:
        if _runs_in == os.getpid():
            return
        if _runs_in != 0:
            raise Bug("libvirt was to be used by one process", found=f"{os.getpid()} is a fork of {_runs_in}")
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_turn, name="libvirt events", daemon=True).start()
        _runs_in = os.getpid()


def _turn() -> None:
    libvirt = binding()
    while True:
        libvirt.virEventRunDefaultImpl()  # waits; what it refuses it says at each turn, and ends the thread
