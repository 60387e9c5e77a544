"""Health checks as data, and probes that carry them out."""
