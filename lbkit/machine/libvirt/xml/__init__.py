"""libvirt's XML as types: written element by element, and read back from what libvirt made of it."""
