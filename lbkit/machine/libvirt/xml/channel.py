"""A virtio-serial port of a domain that is a unix socket on the host, and its XML."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from lbkit.machine.libvirt.xml.element import attribute, element, path, word

GUEST_AGENT = "org.qemu.guest_agent.0"
LBKIT = tuple(f"org.lbkit.{index}" for index in range(4))


@dataclass(frozen=True, slots=True)
class Channel:
    """The guest has it as /dev/virtio-ports/NAME. `socket` None: libvirt chooses a path when the domain starts.

    A path is bound by QEMU and must be shorter than 108 bytes (unix(7)); one client at a time is let in.
    """

    name: str
    socket: str | None = None


def channel_element(channel: Channel) -> ET.Element:
    return element(
        "channel",
        None
        if channel.socket is None
        else element("source", mode="bind", path=path(channel.socket, "a channel's socket")),
        element("target", type_="virtio", name=word(channel.name, "[a-z0-9._-]{1,64}", "a channel's name")),
        type_="unix",
    )


def read_channel(found: ET.Element) -> Channel | None:
    """None where it is another kind of channel than lbkit makes."""
    name = attribute(found, "target", "name")
    if found.get("type") != "unix" or attribute(found, "target", "type") != "virtio" or not name:
        return None
    return Channel(name, attribute(found, "source", "path") or None)
