"""Write what a domain carries of lbkit's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lbkit.hypervisor.failures import binding
from lbkit.machine.libvirt.metadata import NAMESPACE, PREFIX, Metadata, metadata_xml

if TYPE_CHECKING:
    import libvirt


def note(domain: libvirt.virDomain, metadata: Metadata) -> None:
    """In what is defined, and where it runs in that as well. Raises libvirtError."""
    module = binding()
    flags = module.VIR_DOMAIN_AFFECT_CONFIG
    if domain.isActive():
        flags |= module.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(module.VIR_DOMAIN_METADATA_ELEMENT, metadata_xml(metadata), PREFIX, NAMESPACE, flags)
