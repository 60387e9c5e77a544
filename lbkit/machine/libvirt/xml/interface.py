"""A network interface of a domain, and its XML."""

from __future__ import annotations

from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from lbkit.machine.libvirt.xml.element import Unreadable, as_text, attribute, element, number, parse, word

LINK = r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}"  # of dev_valid_name (net/core/dev.c) what needs no quoting anywhere
MAC = r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"


@dataclass(frozen=True, slots=True)
class Interface:
    """A place on a bridge of the host.

    `target` is the tap link on the host. libvirt takes names away that begin with vnet, vif or macvtap. `mtu` of the
    tap, and told to the guest; None: the bridge's. A link that is not up gets no packet, in neither direction.
    """

    mac: str
    bridge: str
    target: str
    mtu: int | None = None
    link_up: bool = True

    def with_link(self, *, up: bool) -> Interface:
        return replace(self, link_up=up)


def interface_element(interface: Interface) -> ET.Element:
    return element(
        "interface",
        element("mac", address=word(interface.mac, MAC, "an interface's MAC address")),
        element("source", bridge=word(interface.bridge, LINK, "a bridge's name")),
        element("target", dev=word(interface.target, LINK, "a link's name")),
        element("model", type_="virtio"),
        None if interface.mtu is None else element("mtu", size=interface.mtu),
        element("link", state="up" if interface.link_up else "down"),
        element(
            "rom", enabled="no"
        ),  # nothing boots from the network: firmware need not load a driver for it
        type_="bridge",
    )


def interface_xml(interface: Interface) -> str:
    """For attaching, detaching (found by its MAC address) and updating: the same in all that is not the link's state."""
    return as_text(interface_element(interface))


def read_interface(found: ET.Element) -> Interface | None:
    """None where it is another kind of interface than lbkit makes."""
    bridge = attribute(found, "source", "bridge")
    if found.get("type") != "bridge" or not bridge:
        return None
    return Interface(
        mac=attribute(found, "mac", "address").lower(),
        bridge=bridge,
        target=attribute(found, "target", "dev"),
        mtu=number(attribute(found, "mtu", "size")) or None,
        link_up=attribute(found, "link", "state") != "down",
    )


def parse_interface(xml: str) -> Interface:
    interface = read_interface(parse(xml, "interface"))
    if interface is None:
        raise Unreadable("an interface on no bridge")
    return interface
