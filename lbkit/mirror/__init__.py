"""Mirrors: a master that pulls from upstream, nodes that pull from it, and only fresh ones of them that serve."""
