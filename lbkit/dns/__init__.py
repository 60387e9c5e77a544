"""Zones on authoritative servers, changed by RFC 2136 with TSIG."""
