"""Images that virtual machines stand on: a store of them, recipes, building, adding. Knows no libvirt."""
