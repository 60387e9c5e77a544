"""Machines as network namespaces of this host, their services as supervised processes of it."""
