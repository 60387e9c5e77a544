"""One command to a guest's QEMU agent through libvirt, and what its failures mean.

The guest is not trusted: an answer of another shape than promised is a failure like any other.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lbkit.base.errors import Failure

if TYPE_CHECKING:
    import libvirt


class AgentSilent(Failure):
    """There was no answer: the guest, its agent or the way there is gone. Asked again later, it may answer.

    `may_come`: the guest runs, and its agent may just not have begun.
    """

    may_come = False


class AgentRefused(Failure):
    """The agent answered that it would not, or cannot."""


MOST = 128 << 10
"""Bytes of one command. Of one that the socket to QEMU does not take at once (a unix socket's buffer has 208 KiB) libvirt
sends what was taken a second time, and the agent understands neither that nor what follows (qemuAgentIOWrite in
qemu_agent.c, which lets safewrite() forget how far it came; found with libvirt 9.0)."""

_START = "`virsh -c URI start DOMAIN` starts it, or an apply does"
_SERVICE = "look whether qemu-guest-agent runs in the guest; an image that lbkit builds has it"


def ask(domain: libvirt.virDomain, patience: int, command: str, **arguments: Any) -> Any:
    """What the agent returns to `command`. AgentSilent where there is no answer within `patience` seconds."""
    import libvirt  # noqa: PLC0415 - costs a library, for those with virtual machines
    import libvirt_qemu  # noqa: PLC0415

    where = f"domain {domain.name()}"
    request = json.dumps({"execute": command, "arguments": arguments})
    if len(request) > MOST:
        raise Failure(
            f"{command} was to be asked of the guest agent",
            found=f"{len(request) >> 10} KiB, and libvirt carries {MOST >> 10} at once",
            where=where,
            remedy="give what is large as a file, or on stdin",
        )
    try:
        text = libvirt_qemu.qemuAgentCommand(domain, request, patience, 0)
    except libvirt.libvirtError as error:
        raise _failure(error, command, where) from error
    try:
        return json.loads(text)["return"]
    except (ValueError, KeyError, TypeError) as error:
        raise strange(command, text, where) from error


def strange(command: str, answer: object, where: str) -> AgentSilent:
    """The failure where an answer is not what the agent's protocol says."""
    return AgentSilent(
        f"the guest agent was to answer {command}",
        found=f"an answer that it does not have: {str(answer)[:200]!r}",
        where=where,
        remedy="restart the guest's qemu-guest-agent",
    )


def _failure(error: libvirt.libvirtError, command: str, where: str) -> Failure:
    import libvirt  # noqa: PLC0415

    code = error.get_error_code()
    words = error.get_error_message() or str(error)
    refused = code == libvirt.VIR_ERR_INTERNAL_ERROR and "agent command" in words
    remedies = {
        libvirt.VIR_ERR_AGENT_UNRESPONSIVE: _SERVICE,
        libvirt.VIR_ERR_AGENT_UNSYNCED: _SERVICE,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: "the domain needs a channel org.qemu.guest_agent.0: apply again",
        libvirt.VIR_ERR_OPERATION_INVALID: _START,
        libvirt.VIR_ERR_NO_DOMAIN: "an apply makes it",
    }
    if refused:
        # after the command's name come the agent's own words (qemuAgentCheckError in qemu_agent.c)
        return AgentRefused(
            f"the guest agent was to carry out {command}",
            found=words.partition("': ")[2] or words,
            where=where,
            remedy="take it from the agent's blocked commands (qemu-ga --block-rpcs)"
            if "disabled" in words
            else "",
        )
    silent = AgentSilent(
        f"the guest agent was to answer {command}",
        found=words,
        where=where,
        remedy=remedies.get(code, "look whether libvirt runs on its host: `lbkit doctor`"),
    )
    silent.may_come = code in {libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED}
    return silent
