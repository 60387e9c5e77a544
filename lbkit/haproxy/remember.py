"""What a process that starts next is to know of servers that lbkit has just set otherwise: servers.state, written anew."""

from __future__ import annotations

from collections.abc import Collection

from lbkit.haproxy.config.paths import STATE_FILE
from lbkit.haproxy.instance import Instance
from lbkit.haproxy.transition.statefile import state_file_after


def remember(instance: Instance, changed: Collection[str], late: Collection[str]) -> None:
    """`changed` as "BACKEND/SERVER": what they are now is what lbkit wants; of the others the file says what it said.

    `late`: backends whose servers begin without traffic.
    """
    files = instance.machine.files(instance.service, [STATE_FILE])
    before = files[STATE_FILE].content.decode(errors="replace") if STATE_FILE in files else ""
    with instance.runtime() as runtime:
        text = state_file_after(before, runtime.servers_state(), changed, late)
    instance.put(STATE_FILE, text.encode())
