"""The driver `libvirt`: virtual machines."""
