"""A libvirtd for each test of this folder that asks for one."""

from tests.libvirtd import daemon, hypervisor

__all__ = ["daemon", "hypervisor"]
