"""Interfaces of a domain, in what runs and in what is defined: each for itself, so that what a killed apply did half is finished.

Those that a person plugged in are not lbkit's, and not touched: callers name theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from lbkit.hypervisor.failures import binding
from lbkit.machine.libvirt.xml.domain import parse_domain
from lbkit.machine.libvirt.xml.interface import Interface, interface_xml

if TYPE_CHECKING:
    import libvirt


def attach(domain: libvirt.virDomain, interface: Interface) -> None:
    for flag, interfaces in _sides(domain):
        if interface.mac not in interfaces:
            domain.attachDeviceFlags(interface_xml(interface), flag)


def detach(domain: libvirt.virDomain, mac: str) -> None:
    """Told, and not yet gone: see `settling.let_go`."""
    for flag, interfaces in _sides(domain):
        if mac in interfaces:
            domain.detachDeviceFlags(interface_xml(interfaces[mac]), flag)


def set_links(domain: libvirt.virDomain, macs: Collection[str], *, up: bool) -> None:
    for flag, interfaces in _sides(domain):
        for mac, each in interfaces.items():
            if mac in macs and each.link_up != up:
                domain.updateDeviceFlags(interface_xml(each.with_link(up=up)), flag)


def _sides(domain: libvirt.virDomain) -> Iterator[tuple[int, dict[str, Interface]]]:
    """Each side's flag, and its interfaces by their MAC addresses. What runs comes first: it is what matters."""
    module = binding()
    if domain.isActive():
        yield module.VIR_DOMAIN_AFFECT_LIVE, _interfaces(domain.XMLDesc(0))
    yield module.VIR_DOMAIN_AFFECT_CONFIG, _interfaces(domain.XMLDesc(module.VIR_DOMAIN_XML_INACTIVE))


def _interfaces(xml: str) -> dict[str, Interface]:
    return {each.mac: each for each in parse_domain(xml).interfaces}
