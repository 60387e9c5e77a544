"""Where virtual machines run: libvirt's connections, storage and events. Knows no machine."""
