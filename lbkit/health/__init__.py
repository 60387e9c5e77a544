"""Health checks as data. Who has a check carries it out: HAProxy those of its servers."""
