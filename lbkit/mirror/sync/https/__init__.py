"""Upstreams of the web: a list of files with their digests, and curl."""
