"""Bridges, namespaces, veths, addresses, routes and NAT of the host."""
